-- One call: heal what was lost, apply what came after, then decide. Answers
-- {now, generation, version, pods, rank, {take answers}, {numbers of buckets}};
-- a take is answered by take.lua, or by {2}: heal first, then ask again.
local EPOCH = 1735689600  -- 2025-01-01: keeps microseconds as doubles exact to 0.008
local ALIVE = 15000000    -- a pod that was silent for longer is not counted
local FORGOTTEN = 3600000000
local HOUR_US = 3600000000
local MOST_RANKED = 256   -- ranking more pods than this would cost too much for what it is worth

local doc = cmsgpack.unpack(ARGV[1])
local kept = redis.call('HMGET', hash, 'g', 'v', 'o', 'w', 'b:' .. doc.pod, 'h')
local generation, version = kept[1], tonumber(kept[2]) or 0

-- The clock never runs backwards, whatever a failover or an operator does to the server's.
local function moment()
  if doc.now then
    return doc.now
  end
  local time = redis.call('TIME')
  local wall = (tonumber(time[1]) - EPOCH) * 1000000 + tonumber(time[2])
  local offset = tonumber(kept[3]) or 0
  local last = math.max(tonumber(kept[4]) or 0, doc.seen_now)
  if wall + offset < last then
    offset = last - wall
    put('o', text(offset))
  end
  return wall + offset
end

-- Lost state (no generation) or older than somebody has seen it (rolled back): a new generation,
-- so that every pod brings what it knows. Until they all have, no bucket holds more than it has
-- refilled since: whatever was taken unseen, and reserved ahead, is counted as the whole burst.
local function notice(now)
  local born = tonumber(kept[6]) or NEVER
  if not generation or version < doc.version then
    if doc.version > 0 then
      born = now + COVER_HORIZON
      put('h', text(born))
    end
    generation, version = doc.nonce, math.max(version, doc.version)
    put('g', generation)
  end
  return born
end

-- What this pod knows of the buckets it asks for, if the server may know less; answers whether the
-- pod has to bring everything else too before anything may be decided.
local function heal(states, now)
  local stale = generation ~= doc.generation
  if stale or doc.reconnected then
    for at, row in ipairs(doc.buckets) do
      if row[6] then
        apply.heal(states[at], {'heal', at, row[6], row[7], 0, false}, now)
      end
    end
  end
  return stale and doc.generation ~= ''
end

local function heartbeat(now)
  redis.call('ZADD', pods, now, doc.pod)
  redis.call('PEXPIRE', pods, HOUR_MS)
  local dead = redis.call('ZRANGEBYSCORE', pods, '-inf', now - FORGOTTEN)
  for _, pod in ipairs(dead) do
    gone[#gone + 1] = 'b:' .. pod
    redis.call('ZREM', pods, pod)
  end
end

local function rank(now, count)
  if not doc.beat or count > MOST_RANKED then
    return -1
  end
  local before = 0
  for _, pod in ipairs(redis.call('ZRANGEBYSCORE', pods, now - ALIVE, '+inf')) do
    before = pod < doc.pod and before + 1 or before
  end
  return before
end

local now = moment()

-- The numbers after the call, packed as they are kept; those of seats as until, limit, used.
-- Nothing for a bucket that nothing happened to, unless a heartbeat or a refusal asks for all.
local function seen(states, all)
  local words = {}
  for at, state in ipairs(states) do
    if not (all or state.dirty or state.pushed or state.held) then
      words[at] = ''
    elseif state.dim == SEATS then
      words[at] = pack('<ddd', state.until_, state.limit, used(state, now))
    else
      words[at] = packed(state)
    end
  end
  return words
end

local states = read(doc.buckets, now, notice(now))
local stale = heal(states, now)
if doc.batch > 0 and doc.batch > (tonumber(kept[5]) or 0) then
  settle(doc.ops, states, now, generation)
  put('b:' .. doc.pod, text(doc.batch))
end
local answers, all = {}, doc.beat or #doc.takes == 0
for at, row in ipairs(doc.takes) do
  local answer = stale and {'2'} or decide(row, states, now)
  answers[at] = answer
  all = all or answer[1] ~= '1'
end
if doc.beat then
  heartbeat(now)
end
local count = redis.call('ZCOUNT', pods, now - ALIVE, '+inf')
local latest = write(states)
if #gone > 0 then
  redis.call('HDEL', hash, unpack(gone))
end
if #changed > 0 then
  version = version + 1
  put('v', text(version))
  put('w', text(now))
  redis.call('HSET', hash, unpack(changed))
  if doc.beat or not kept[1] or latest > now + HOUR_US then
    redis.call('PEXPIRE', hash, math.ceil(math.max(latest - now, 0) / 1000) + 2 * HOUR_MS)
  end
end
return {text(now), generation, text(version), count, rank(now, count), answers, seen(states, all)}

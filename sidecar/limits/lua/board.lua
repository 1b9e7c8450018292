-- The fleet's board: who rests, until when, why, and who probes. KEYS: the board, the pods that
-- live. ARGV: a document as in board.py, the channel for news. Answers {now, salt, version, pods,
-- {what each claim got}, the whole board or false}. Times are milliseconds of this server's clock.
local board, pods = KEYS[1], KEYS[2]
local WEEK_MS, HOUR_MS = 604800000, 3600000
local EPOCH = 1735689600  -- 2025-01-01
local doc = cmsgpack.unpack(ARGV[1])

local time = redis.call('TIME')
local now = (tonumber(time[1]) - EPOCH) * 1000 + tonumber(time[2]) / 1000
redis.call('HSETNX', board, '#salt', doc.salt)
local salt = redis.call('HGET', board, '#salt')
local version = tonumber(redis.call('HGET', board, '#version')) or 0

-- A note: {cause, firm, strikes, since, until, probing until, prober}
local function note_of(id)
  local packed = redis.call('HGET', board, id)
  return packed and cmsgpack.unpack(packed)
end

local function say(id, note)
  version = version + 1
  if note then
    redis.call('HSET', board, id, cmsgpack.pack(note))
  else
    redis.call('HDEL', board, id)
  end
  redis.call('PUBLISH', ARGV[2], cmsgpack.pack({now, salt, doc.pod, id, note}))
end

local does = {}

-- {'rest', id, cause, firm, strikes, for, anew}: only ever extended; what disables outranks what
-- does not. `anew`: of a pod that brings what it knew, which is no failure of now.
function does.rest(op)
  local _, id, cause, firm, strikes, lasts, anew = unpack(op)
  local old = note_of(id)
  if not old then
    return say(id, {cause, firm, strikes, now, now + lasts, 0, ''})
  end
  if old[2] and not firm then
    cause = old[1]
  end
  local since = anew and old[4] or now
  local last, most = math.max(old[5], now + lasts), math.max(old[3], strikes)
  say(id, {cause, old[2] or firm, most, since, last, anew and old[6] or 0, anew and old[7] or ''})
end

-- {'clear', id, ago}: an attempt that began so long ago did well.
function does.clear(op)
  local old = note_of(op[2])
  if old and old[4] <= now - op[3] then
    say(op[2], false)
  end
end

-- {'yield', id}: the probe of this pod has proved nothing.
function does.yield(op)
  local old = note_of(op[2])
  if old and old[7] == doc.pod then
    old[6], old[7] = 0, ''
    say(op[2], old)
  end
end

-- {'claim', id, lease}: may this pod probe? 0, or for how long somebody else does or it rests.
function does.claim(op)
  local old = note_of(op[2])
  if not old then
    return 0
  end
  local other = old[7] ~= doc.pod and old[6] or 0
  local free = math.max(other, old[5])
  if free > now then
    return free - now
  end
  old[6], old[7] = now + op[3], doc.pod
  say(op[2], old)
  return 0
end

local claims = {}
if doc.known == salt then
  for _, op in ipairs(doc.ops) do
    local got = does[op[1]](op)
    if op[1] == 'claim' then
      claims[#claims + 1] = math.ceil(got)
    end
  end
end

-- What rested long ago and was never cleared is nobody's any more.
local function swept()
  local whole, found = redis.call('HGETALL', board), {}
  for at = 1, #whole, 2 do
    if string.sub(whole[at], 1, 1) ~= '#' then
      local note = cmsgpack.unpack(whole[at + 1])
      if note[5] + (note[2] and WEEK_MS or HOUR_MS) < now then
        redis.call('HDEL', board, whole[at])
      else
        found[#found + 1] = {whole[at], note}
      end
    end
  end
  return found
end

local whole, alive = false, 0
if doc.read > 0 then
  redis.call('ZREMRANGEBYSCORE', pods, '-inf', now - 3 * doc.read)
  redis.call('ZADD', pods, now, doc.pod)
  redis.call('PEXPIRE', pods, 3 * doc.read)
  alive = redis.call('ZCARD', pods)
  whole = cmsgpack.pack(swept())
end
redis.call('HSET', board, '#version', version)
redis.call('PEXPIRE', board, WEEK_MS)
return {string.format('%.3f', now), salt, version, alive, claims, whole}

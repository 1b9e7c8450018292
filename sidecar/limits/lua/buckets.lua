-- The numbers of the buckets named in one call: read once, changed in memory, written once.
-- Twin of book.py's State, backlog.py and leases.py: the same operations in the same order.
--
-- KEYS[1] hash of the pool     t:<id> TAT   n:<id> its microseconds per unit   u:<id> unusable until
--                              l:<id> learned "limit until"   m:<id> backlog "seq (seq least)*"
--                              g:<id> cover TAT   a:<id> seat limit   b:<pod> last batch applied
--                              g generation   v version   o clock offset   w last moment seen
--                              h since when the state is whole again, after a loss
-- KEYS[2] sorted set of pods   id -> last heartbeat
-- KEYS[3..] two sorted sets for each bucket of seats: lease -> expiry, and those of classes with a
--           reserve
local REQUESTS, TOKENS, INPUT, OUTPUT, SEATS = 1, 2, 3, 4, 5
local KEEP, RECENT = 24, 8
local FAST, GENTLE = 0.7, 0.9
local GROW, CEILING, TOLD = 1000000, 60000000, 600000000
local SEAT_POLL, LEARNED, COVER_HORIZON = 50000, 600000000, 1000000
local NEVER = -1e18

local hash, pods = KEYS[1], KEYS[2]
local changed = {}
local gone = {}

local function text(number)
  return string.format('%.17g', number)
end

local function put(field, value)
  changed[#changed + 1] = field
  changed[#changed + 1] = value
end

local function numbers(packed)
  local found = {}
  for word in string.gmatch(packed, '%S+') do
    found[#found + 1] = tonumber(word)
  end
  return found
end

-- Backlog: flat {seq, number, least, number, least, ...}, both growing.

local function backlog_of(state)
  if not state.backlog then
    local packed = redis.call('HGET', hash, 'm:' .. state.id)
    state.backlog = packed and numbers(packed) or {0}
  end
  return state.backlog
end

local function merge(entries)
  local count = (#entries - 1) / 2
  local older = count - RECENT
  local merged = {entries[1]}
  for pair = 1, math.floor(older / 2) do
    merged[#merged + 1] = entries[4 * pair]
    merged[#merged + 1] = entries[4 * pair - 1]
  end
  for at = math.floor(older / 2) * 4 + 2, #entries do
    merged[#merged + 1] = entries[at]
  end
  return merged
end

local function push(state, before)
  local entries = backlog_of(state)
  entries[1] = entries[1] + 1
  while #entries > 1 and entries[#entries] >= before do
    entries[#entries] = nil
    entries[#entries] = nil
  end
  entries[#entries + 1] = entries[1]
  entries[#entries + 1] = before
  if (#entries - 1) / 2 > KEEP then
    state.backlog = merge(entries)
  end
  state.pushed = true
  return entries[1]
end

local function credit(state, seq, unused)
  local entries = backlog_of(state)
  local at = 2
  while at <= #entries and entries[at] <= seq do
    at = at + 2
  end
  if at > #entries then
    return unused
  end
  local given = math.min(unused, entries[at + 1])
  local first = math.max(entries[at + 1] - unused, 0)
  local kept = {entries[1]}
  for older = 2, at - 2, 2 do
    if entries[older + 1] < first then
      kept[#kept + 1] = entries[older]
      kept[#kept + 1] = entries[older + 1]
    end
  end
  kept[#kept + 1] = entries[at]
  kept[#kept + 1] = first
  for later = at + 2, #entries, 2 do
    kept[#kept + 1] = entries[later]
    kept[#kept + 1] = entries[later + 1] - given
  end
  state.backlog = kept
  state.pushed = true
  return given
end

local function scale(state, factor)
  local entries = backlog_of(state)
  for at = 3, #entries, 2 do
    entries[at] = entries[at] * factor
  end
  state.pushed = true
end

-- Rates.

local function derive(state, now)
  local before = state.unit
  state.limit = math.min(state.most, state.learned)
  state.burst = state.limit == state.most and state.allowed or math.min(state.allowed, state.limit)
  state.unit = state.per / state.limit
  state.room = state.burst * state.unit
  if state.unit ~= before then
    state.dirty = true
    if before and state.tat > now then
      local factor = state.unit / before
      state.tat = now + (state.tat - now) * factor
      scale(state, factor)
    end
  end
end

local function learn(state, limit, now)
  state.learned, state.review = math.max(limit, 1), now + LEARNED
  put('l:' .. state.id, text(state.learned) .. ' ' .. text(state.review))
  derive(state, now)
end

local function read_rate(state, found, now)
  state.tat = tonumber(found[1]) or 0
  state.unit = tonumber(found[2])
  state.until_ = tonumber(found[3]) or 0
  state.learned = state.most
  if found[4] then
    local limit, review = string.match(found[4], '(%S+) (%S+)')
    if now < tonumber(review) then
      state.learned, state.review = tonumber(limit), tonumber(review)
    else
      gone[#gone + 1] = 'l:' .. state.id
    end
  end
  derive(state, now)
end

local function raise(state, tat)
  if tat > state.tat then
    push(state, 0)
    state.tat = tat
    state.dirty = true
  end
end

-- Seats.

local function write_seats(state)
  put('a:' .. state.id, table.concat({text(state.limit), text(state.cut), text(state.grown),
    text(state.ceiling), text(state.ceiling_until), text(state.most)}, ' '))
end

local function read_seats(state, found)
  state.until_ = tonumber(found[3]) or 0
  local limit, most = state.most, state.most
  state.cut, state.grown, state.ceiling, state.ceiling_until = NEVER, NEVER, state.most, NEVER
  if found[1] then
    local kept = numbers(found[1])
    limit, most = kept[1], kept[6]
    state.cut, state.grown, state.ceiling, state.ceiling_until = kept[2], kept[3], kept[4], kept[5]
  end
  if limit == most or limit > state.most then
    limit = state.most
  end
  state.limit = limit
  if found[1] and most ~= state.most then
    write_seats(state)
  end
end

-- Seats held now; counted once a call, then kept up to date.
local function used(state, now)
  if not state.used then
    redis.call('ZREMRANGEBYSCORE', state.seats, '-inf', now)
    state.used = redis.call('ZCARD', state.seats)
  end
  return state.used
end

local function cover_used(state, now)
  redis.call('ZREMRANGEBYSCORE', state.cover, '-inf', now)
  return redis.call('ZCARD', state.cover)
end

local function hold(state, lease, expiry, covered, now)
  state.used = used(state, now) + redis.call('ZADD', state.seats, expiry, lease)
  state.held = true
  if covered then
    redis.call('ZADD', state.cover, expiry, lease)
  end
end

local function release(state, lease, now)
  state.used = used(state, now) - redis.call('ZREM', state.seats, lease)
  redis.call('ZREM', state.cover, lease)
end

local function tell(state, limit, now)
  if limit < state.most then
    state.limit = math.max(limit, 1)
    state.ceiling, state.ceiling_until, state.cut = state.limit, now + TOLD, now
    write_seats(state)
  end
end

local function refuse(state, sent, now)
  if sent <= state.cut then
    return
  end
  local base = math.min(state.limit, math.max(used(state, now), 1))
  local factor = state.grown > state.cut and GENTLE or FAST
  state.limit = math.max(math.floor(base * factor), 1)
  state.ceiling, state.ceiling_until = math.max(base - 1, 1), now + CEILING
  state.cut = now
  write_seats(state)
end

local function grow(state, now)
  local taken = used(state, now)
  if state.limit >= state.most or taken * 2 < state.limit then
    return
  end
  if now < math.max(state.cut, state.grown) + GROW then
    return
  end
  if now < state.ceiling_until and state.limit >= state.ceiling then
    return
  end
  state.limit = state.limit + 1
  state.grown = now
  write_seats(state)
end

-- All of a call's buckets, in the order given: {id, dimension, limit, per, burst, tat, unit}.

local function read(rows, now, born)
  if #rows == 0 then
    return {}
  end
  local fields = {}
  for _, row in ipairs(rows) do
    fields[#fields + 1] = (row[2] == SEATS and 'a:' or 't:') .. row[1]
    fields[#fields + 1] = 'n:' .. row[1]
    fields[#fields + 1] = 'u:' .. row[1]
    fields[#fields + 1] = 'l:' .. row[1]
  end
  local found = redis.call('HMGET', hash, unpack(fields))
  local states, key = {}, 3
  for at, row in ipairs(rows) do
    local state = {id = row[1], dim = row[2], most = row[3], per = row[4], allowed = row[5],
      review = math.huge}
    local own = {found[4 * at - 3], found[4 * at - 2], found[4 * at - 1], found[4 * at]}
    if state.dim == SEATS then
      state.seats, state.cover = KEYS[key], KEYS[key + 1]
      key = key + 2
      read_seats(state, own)
    else
      read_rate(state, own, now)
      raise(state, born + state.room)
    end
    states[at] = state
  end
  return states
end

local function hold_back(state, until_)
  if until_ > state.until_ then
    state.until_ = until_
    put('u:' .. state.id, text(until_))
  end
end

local function write(states)
  local latest = 0
  for _, state in ipairs(states) do
    if state.dirty then
      put('t:' .. state.id, text(state.tat))
      put('n:' .. state.id, text(state.unit))
    end
    if state.pushed then
      local entries = state.backlog
      local words = {}
      for at = 1, #entries do
        words[at] = text(entries[at])
      end
      put('m:' .. state.id, table.concat(words, ' '))
    end
    latest = math.max(latest, state.tat or 0, state.until_)
  end
  return latest
end

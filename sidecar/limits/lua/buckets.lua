-- The numbers of the buckets named in one call: read once, changed in memory, written once.
-- Twin of book.py's State, backlog.py and leases.py: the same operations in the same order.
--
-- KEYS[1] hash of the pool, numbers packed as little-endian doubles:
--           t:<id> of a rate: TAT, microseconds per unit, unusable until, learned limit, learned
--                  until, TAT of the class with a guarantee, the latest leave promised,
--                  the last appointments to ask again: of classes without a reserve, of the others
--           t:<id> of seats: unusable until, limit, cut at, grown at, ceiling, ceiling until, most
--           m:<id> backlog: number of the last event, then (number, least backlog since)*
--           b:<pod> last batch applied   g generation   v version   o clock offset
--           w last moment seen   h since when the state is whole again, after a loss
-- KEYS[2] sorted set of pods: id -> last heartbeat
-- KEYS[3..] two sorted sets for each bucket of seats: lease -> expiry, and those of classes with a
--           reserve
local SEATS = 5  -- dimensions are numbered as in book.py, from 1
local KEEP, RECENT = 24, 8
local FAST, GENTLE = 0.7, 0.9
local GROW, CEILING, TOLD = 1000000, 60000000, 600000000
local SEAT_POLL, LEARNED, COVER_HORIZON = 50000, 600000000, 1000000
local NEVER = -1e18
local HOUR_MS = 3600000

local hash, pods = KEYS[1], KEYS[2]
local changed = {}
local gone = {}

local pack, unpack_ = struct.pack, struct.unpack
local RATE, PLACES = '<ddddddddd', '<ddddddd'
local RATE_SIZE, UNKNOWN = 9 * 8, '\0'

local function text(number)
  return string.format('%.17g', number)
end

local function put(field, value)
  changed[#changed + 1] = field
  changed[#changed + 1] = value
end

-- Backlog: flat {seq, number, least, number, least, ...}, both growing.

local function backlog_of(state)
  if not state.backlog then
    local packed = redis.call('HGET', hash, 'm:' .. state.id)
    state.backlog = packed and {unpack_('<' .. string.rep('d', #packed / 8), packed)} or {0}
    -- unpack also answers where it stopped
    if packed then
      state.backlog[#state.backlog] = nil
    end
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
    local since = math.max(state.left, now)
    if before and state.tat > since then
      local factor = state.unit / before
      state.tat = since + (state.tat - since) * factor
      scale(state, factor)
    end
  end
end

local function learn(state, limit, now)
  state.learned, state.review = math.max(limit, 1), now + LEARNED
  state.dirty = true
  derive(state, now)
end

local function read_rate(state, packed, now)
  state.learned, state.review = state.most, math.huge
  if not packed then
    state.tat, state.until_, state.cover_tat, state.left = 0, 0, 0, 0
    state.asks, state.asks_low = 0, 0
  else
    local learned, review
    -- a pod of an older version, beside this one during an upgrade, keeps fewer numbers
    state.tat, state.unit, state.until_, learned, review, state.cover_tat, state.left, state.asks,
      state.asks_low = unpack_(RATE, packed .. string.rep(UNKNOWN, RATE_SIZE - #packed))
    if now < review then
      if review < math.huge then
        state.learned, state.review = learned, review
      end
    else
      state.dirty = true
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

local function read_seats(state, packed)
  local limit, most = state.most, state.most
  if packed then
    state.until_, limit, state.cut, state.grown, state.ceiling, state.ceiling_until, most =
      unpack_(PLACES, packed)
  else
    state.until_, state.cut, state.grown = 0, NEVER, NEVER
    state.ceiling, state.ceiling_until = state.most, NEVER
  end
  if limit == most or limit > state.most then
    limit = state.most
  end
  state.limit = limit
  state.dirty = packed and most ~= state.most
end

-- Seats held now; counted once a call, then kept up to date. The expired are only swept out when
-- somebody sits down.
local function used(state, now)
  if not state.used then
    state.used = redis.call('ZCOUNT', state.seats, '(' .. text(now), '+inf')
  end
  return state.used
end

local function cover_used(state, now)
  return redis.call('ZCOUNT', state.cover, '(' .. text(now), '+inf')
end

local function sweep(key, now)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
end

-- Answers 1 for a lease that did not hold a seat. A renewal also keeps the key from expiring.
local function sit(key, lease, expiry, now)
  sweep(key, now)
  local new = redis.call('ZADD', key, expiry, lease)
  if new == 0 or redis.call('ZCARD', key) == 1 then
    redis.call('PEXPIRE', key, HOUR_MS)
  end
  return new
end

local function hold(state, lease, expiry, covered, now)
  state.used = used(state, now) + sit(state.seats, lease, expiry, now)
  state.held = true
  if covered then
    sit(state.cover, lease, expiry, now)
  end
end

local function release(state, lease, now)
  sweep(state.seats, now)
  state.used = used(state, now) - redis.call('ZREM', state.seats, lease)
  redis.call('ZREM', state.cover, lease)
end

local function tell(state, limit, now)
  if limit < state.most then
    state.limit = math.max(limit, 1)
    state.ceiling, state.ceiling_until, state.cut = state.limit, now + TOLD, now
    state.dirty = true
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
  state.dirty = true
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
  state.dirty = true
end

-- All of a call's buckets, in the order given: {id, dimension, limit, per, burst, tat, unit}.

local function read(rows, now, born)
  if #rows == 0 then
    return {}
  end
  local fields = {}
  for at, row in ipairs(rows) do
    fields[at] = 't:' .. row[1]
  end
  local found = redis.call('HMGET', hash, unpack(fields))
  local states, key = {}, 3
  for at, row in ipairs(rows) do
    local state = {id = row[1], field = fields[at], dim = row[2], most = row[3], per = row[4],
      allowed = row[5]}
    if state.dim == SEATS then
      state.seats, state.cover = KEYS[key], KEYS[key + 1]
      key = key + 2
      read_seats(state, found[at])
    else
      read_rate(state, found[at], now)
      raise(state, born + state.room)
    end
    states[at] = state
  end
  return states
end

local function hold_back(state, until_)
  if until_ > state.until_ then
    state.until_ = until_
    state.dirty = true
  end
end

local function packed(state)
  if state.dim == SEATS then
    return pack(PLACES, state.until_, state.limit, state.cut, state.grown, state.ceiling,
      state.ceiling_until, state.most)
  end
  return pack(RATE, state.tat, state.unit, state.until_, state.learned, state.review,
    state.cover_tat, state.left, state.asks, state.asks_low)
end

-- Answers the latest moment that anything of it matters.
local function write(states)
  local latest = 0
  for _, state in ipairs(states) do
    if state.dirty then
      put(state.field, packed(state))
    end
    if state.pushed then
      local entries = state.backlog
      put('m:' .. state.id, pack('<' .. string.rep('d', #entries), unpack(entries)))
    end
    latest = math.max(latest, state.tat or 0, state.until_)
  end
  return latest
end

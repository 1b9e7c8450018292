-- What came after: corrections, seats given back, what providers said, and healing.
-- An operation is a list: its kind, the number of its bucket, and what the kind needs.

local function add(state, more, now)
  local before = state.tat - now
  before = before > 0 and before or 0
  push(state, before)
  state.tat = (before > 0 and state.tat or now) + more
  state.dirty = true
end

local apply = {}

-- {settle, bucket, seq, unused units (negative: used more), guarantee (0: none), generation}
function apply.settle(state, op, now, generation)
  local unused = op[4]
  if unused < 0 then
    add(state, -unused * state.unit, now)
  elseif op[6] == generation then
    state.tat = state.tat - credit(state, math.abs(op[3]), unused * state.unit)
    state.dirty = true
    if op[3] < 0 then
      state.cover_tat = state.cover_tat - unused * (state.unit / op[5])
    end
  end
end

-- {free, bucket, lease}
function apply.free(state, op, now)
  release(state, op[3], now)
end

-- {renew, bucket, lease, lives for, of a class with a reserve}: never moves an expiry earlier
function apply.renew(state, op, now)
  local known = tonumber(redis.call('ZSCORE', state.seats, op[3]) or 0)
  hold(state, op[3], math.max(known, now + op[4]), op[5], now)
end

-- {observe, bucket, limit or false, left or false, wait, refused, sent ago}
function apply.observe(state, op, now)
  if op[5] > 0 then
    hold_back(state, now + op[5])
  end
  if state.dim == SEATS then
    if op[3] then
      tell(state, op[3], now)
    elseif op[6] then
      refuse(state, now - op[7], now)
    end
    return
  end
  if op[3] then
    learn(state, op[3], now)
  end
  if op[4] then
    raise(state, now + state.room - op[4] * state.unit)
  end
end

-- {heal, bucket, tat, unit, until, limit or false}: the last seen state of a bucket that may have
-- lost its own
function apply.heal(state, op, now)
  hold_back(state, op[5])
  if op[6] and op[6] < state.limit then
    local lower = state.dim == SEATS and tell or learn
    lower(state, op[6], now)
  end
  if state.dim ~= SEATS and op[3] > now then
    raise(state, now + (op[3] - now) * (state.unit / op[4]))
  end
end

-- {debt, bucket, units}: taken by a pod alone while this store was away. All pods together never
-- used more than the burst and what they reserved ahead, so it fills the bucket at most.
function apply.debt(state, op, now)
  local free = math.max(state.room + COVER_HORIZON - math.max(state.tat - now, 0), 0)
  add(state, math.min(op[3] * state.unit, free), now)
end

-- {ghosts, bucket, count, live for, name}: seats of pods that have not said yet what they hold
function apply.ghosts(state, op, now)
  local known = used(state, now)
  for number = known + 1, op[3] do
    hold(state, op[5] .. ':' .. number, now + op[4], false, now)
  end
end

local function settle(ops, states, now, generation)
  for _, op in ipairs(ops) do
    apply[op[1]](states[op[2]], op, now, generation)
  end
end

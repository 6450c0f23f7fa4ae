import { createHash } from 'node:crypto'
import { VALUE_BYTES } from './store.js'

// What runs inside of Redis: each script is one step that nothing comes between. All keys begin with the one key
// that a script is given; docs/cluster.md lists them. Time is that of Redis, in milliseconds where nothing is said.

/** What all scripts begin with. */
const COMMON = `
local P = KEYS[1] .. ':'
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)

-- Nothing outlives what renews it: lets a key live for so long at least.
local function keep(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end

-- A lease is kept for twice its length, so that whoever comes finds what a dead node held.
local function renew(node, lease)
  for _, key in ipairs({ 'node:', 'sessions:', 'held:' }) do redis.call('PEXPIRE', P .. key .. node, 2 * lease) end
  keep(P .. 'held', 2 * lease)
  keep(P .. 'nodes', 2 * lease)
end

local function give(place, count)
  if redis.call('HINCRBY', P .. 'held', place, -count) <= 0 then redis.call('HDEL', P .. 'held', place) end
end

local function forget(node)
  local held = redis.call('HGETALL', P .. 'held:' .. node)
  for i = 1, #held, 2 do give(held[i], held[i + 1]) end
  redis.call('DEL', P .. 'node:' .. node, P .. 'sessions:' .. node, P .. 'held:' .. node)
  redis.call('ZREM', P .. 'nodes', node)
end

local function reap()
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', P .. 'nodes', '-inf', now)) do forget(node) end
end

-- The order of sessions of a node is that of their scores, of which no two are the same.
local function enter(node, id, places)
  local key = P .. 'sessions:' .. node
  local score = micros
  local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
  if last and tonumber(last) >= score then score = last + 1 end
  redis.call('ZADD', key, score, id)
  for _, place in ipairs(places) do
    redis.call('HINCRBY', P .. 'held', place, 1)
    redis.call('HINCRBY', P .. 'held:' .. node, place, 1)
  end
end

local function tell(node, instance, lease, draining, limit)
  redis.call('HSET', P .. 'node:' .. node, 'instance', instance, 'lease', lease, 'draining', draining, 'limit', limit, 'at', now)
  redis.call('ZADD', P .. 'nodes', now + lease, node)
end

local function names()
  local all = redis.call('ZRANGE', P .. 'nodes', 0, -1)
  table.sort(all)
  return all
end

local function count(name, perMinute)
  local key = P .. 'rate:' .. name
  local was = redis.call('HMGET', key, 'tokens', 'at')
  local tokens = perMinute
  if was[1] then tokens = math.min(perMinute, was[1] + math.max(0, now - was[2]) * perMinute / 60000) end
  local seconds = 0
  if tokens >= 1 then tokens = tokens - 1 else seconds = math.ceil((1 - tokens) * 60 / perMinute) end
  redis.call('HSET', key, 'tokens', tokens, 'at', now)
  redis.call('PEXPIRE', key, 60000)
  return seconds
end

local function valueOf(space, name) return P .. 'value:' .. space .. ':' .. name end

local function leaveRoom(space, name)
  if redis.call('ZREM', P .. 'room:' .. space, name) == 0 then return end
  local size = P .. 'size:' .. space
  redis.call('HINCRBY', size, '#', -redis.call('HGET', size, '.' .. name))
  redis.call('HDEL', size, '.' .. name)
end

local function enterRoom(space, name, bytes, ttl)
  local room, size = P .. 'room:' .. space, P .. 'size:' .. space
  redis.call('ZADD', room, now + ttl, name)
  redis.call('HSET', size, '.' .. name, bytes)
  redis.call('HINCRBY', size, '#', bytes)
  keep(room, ttl)
  keep(size, ttl)
end

local function fieldsOf(key)
  local all = redis.call('HGETALL', key)
  if #all == 0 then return false end
  return all
end

-- What is written has its arguments behind so many others.

-- space, name, ttl, entries, bytes of the room or '', bytes of the value, then its fields and their text
local function put(o)
  local space, name, ttl, bytes = ARGV[o + 1], ARGV[o + 2], tonumber(ARGV[o + 3]), tonumber(ARGV[o + 6])
  if ARGV[o + 4] ~= '' then
    local room, size = P .. 'room:' .. space, P .. 'size:' .. space
    for _, gone in ipairs(redis.call('ZRANGEBYSCORE', room, '-inf', now, 'LIMIT', 0, 1000)) do leaveRoom(space, gone) end
    local entries, used = redis.call('ZCARD', room), tonumber(redis.call('HGET', size, '#') or 0)
    local own = redis.call('HGET', size, '.' .. name)
    if own then entries, used = entries - 1, used - own end
    if entries >= tonumber(ARGV[o + 4]) or used + bytes > tonumber(ARGV[o + 5]) then return 'full' end
  end
  local key = valueOf(space, name)
  redis.call('DEL', key)
  leaveRoom(space, name)
  redis.call('HSET', key, '#', bytes)
  for i = o + 7, #ARGV, 2 do redis.call('HSET', key, '.' .. ARGV[i], ARGV[i + 1]) end
  redis.call('PEXPIRE', key, ttl)
  if ARGV[o + 4] ~= '' then enterRoom(space, name, bytes, ttl) end
  return 'kept'
end

-- space, name, ttl, number of arguments that are fields to set and their text, those, then fields to remove
local function patch(o)
  local space, name, ttl, last = ARGV[o + 1], ARGV[o + 2], tonumber(ARGV[o + 3]), o + 4 + ARGV[o + 4]
  local key = valueOf(space, name)
  local bytes = redis.call('HGET', key, '#')
  if not bytes then return 'gone' end
  bytes = tonumber(bytes)
  local set, remove = {}, {}
  for i = o + 5, last, 2 do set[ARGV[i]] = ARGV[i + 1] end
  for i = last + 1, #ARGV do if not set[ARGV[i]] then remove[ARGV[i]] = true end end
  for _, some in ipairs({ set, remove }) do
    for field in pairs(some) do
      if redis.call('HEXISTS', key, '.' .. field) == 1 then bytes = bytes - #field - redis.call('HSTRLEN', key, '.' .. field) end
    end
  end
  for field, text in pairs(set) do bytes = bytes + #field + #text end
  if bytes > ${VALUE_BYTES} then return 'full' end
  for field in pairs(remove) do redis.call('HDEL', key, '.' .. field) end
  for field, text in pairs(set) do redis.call('HSET', key, '.' .. field, text) end
  redis.call('HSET', key, '#', bytes)
  redis.call('PEXPIRE', key, ttl)
  if redis.call('ZSCORE', P .. 'room:' .. space, name) then
    leaveRoom(space, name)
    enterRoom(space, name, bytes, ttl)
  end
  return 'kept'
end

-- space, name
local function delete(o)
  leaveRoom(ARGV[o + 1], ARGV[o + 2])
  return redis.call('DEL', valueOf(ARGV[o + 1], ARGV[o + 2])) == 1 and 'kept' or 'gone'
end
`

const scripts = {
  put: 'return put(0)',

  patch: 'return patch(0)',

  delete: 'return delete(0)',

  // space, name
  get: 'return fieldsOf(valueOf(ARGV[1], ARGV[2]))',

  // space, name, a field with the name of a node, if any
  take: `
    local key = valueOf(ARGV[1], ARGV[2])
    local holder = ARGV[3] and redis.call('HGET', key, '.' .. ARGV[3])
    if holder and redis.call('PUBSUB', 'NUMSUB', P .. 'to:' .. holder)[2] == 0 then redis.call('HDEL', key, '.' .. ARGV[3]) end
    local fields = fieldsOf(key)
    redis.call('DEL', key)
    leaveRoom(ARGV[1], ARGV[2])
    return fields`,

  // name, a minute
  count: 'return count(ARGV[1], tonumber(ARGV[2]))',

  // node, instance, lease, draining, limit, sessions as JSON: [id, [place, ...]]
  join: `
    local node, lease = ARGV[1], tonumber(ARGV[3])
    reap()
    forget(node)
    tell(node, ARGV[2], lease, ARGV[4], ARGV[5])
    for _, session in ipairs(cjson.decode(ARGV[6])) do enter(node, session[1], session[2]) end
    renew(node, lease)
    return 'OK'`,

  // node, instance, lease, draining, limit
  beat: `
    local node, lease = ARGV[1], tonumber(ARGV[3])
    reap()
    local instance = redis.call('HGET', P .. 'node:' .. node, 'instance')
    if not instance then return 'lost' end
    if instance ~= ARGV[2] then return 'taken' end
    tell(node, ARGV[2], lease, ARGV[4], ARGV[5])
    renew(node, lease)
    return 'held'`,

  // node, instance
  leave: `
    if redis.call('HGET', P .. 'node:' .. ARGV[1], 'instance') == ARGV[2] then forget(ARGV[1]) end
    return 'OK'`,

  // how many, after
  nodes: `
    reap()
    local page = {}
    for _, name in ipairs(names()) do
      if name > ARGV[2] then
        if #page == tonumber(ARGV[1]) then return { 1, page } end
        local told = redis.call('HMGET', P .. 'node:' .. name, 'draining', 'limit', 'at')
        page[#page + 1] = { name, told[1], told[2], redis.call('ZCARD', P .. 'sessions:' .. name), math.max(0, now - told[3]) }
      end
    end
    return { 0, page }`,

  // node, instance, id, name of the rate or '', a minute, then names of places and how many there are, or ''
  open: `
    local node = ARGV[1]
    reap()
    local known = redis.call('HMGET', P .. 'node:' .. node, 'instance', 'lease')
    if known[1] ~= ARGV[2] then return { 'lease' } end
    if ARGV[4] ~= '' then
      local seconds = count(ARGV[4], tonumber(ARGV[5]))
      if seconds > 0 then return { 'rate', seconds } end
    end
    local places = {}
    for i = 6, #ARGV, 2 do
      if ARGV[i + 1] ~= '' and tonumber(redis.call('HGET', P .. 'held', ARGV[i]) or 0) >= tonumber(ARGV[i + 1]) then return { 'place', ARGV[i] } end
      places[#places + 1] = ARGV[i]
    end
    enter(node, ARGV[3], places)
    -- An empty key is none: the first session made them anew.
    renew(node, tonumber(known[2]))
    return { 'admitted' }`,

  // node, instance, id, how many places, their names, then what is written, if anything, and its arguments
  close: `
    local node, last = ARGV[1], 4 + ARGV[4]
    if redis.call('HGET', P .. 'node:' .. node, 'instance') == ARGV[2] and redis.call('ZREM', P .. 'sessions:' .. node, ARGV[3]) == 1 then
      for i = 5, last do
        give(ARGV[i], 1)
        if redis.call('HINCRBY', P .. 'held:' .. node, ARGV[i], -1) <= 0 then redis.call('HDEL', P .. 'held:' .. node, ARGV[i]) end
      end
    end
    local write = ({ put = put, patch = patch, delete = delete })[ARGV[last + 1]]
    return write and write(last + 1)`,

  // how many, node and score of the last one seen
  sessions: `
    local limit, from, last = tonumber(ARGV[1]), ARGV[2], ARGV[3]
    reap()
    local page = {}
    for _, node in ipairs(names()) do
      if node >= from then
        local low = '-inf'
        if node == from then low = '(' .. last end
        local some = redis.call('ZRANGEBYSCORE', P .. 'sessions:' .. node, low, '+inf', 'WITHSCORES', 'LIMIT', 0, limit - #page + 1)
        for i = 1, #some, 2 do
          if #page == limit then return { 1, page } end
          page[#page + 1] = { some[i], node, some[i + 1], math.max(0, math.floor((micros - some[i + 1]) / 1000)) }
        end
      end
    end
    return { 0, page }`,

  // id
  locate: `
    reap()
    for _, node in ipairs(names()) do
      if redis.call('ZSCORE', P .. 'sessions:' .. node, ARGV[1]) then return node end
    end
    return false`
}

export type ScriptName = keyof typeof scripts

/** Text and SHA-1 of each script, as EVAL and EVALSHA want them. */
export const redisScripts = Object.fromEntries(Object.entries(scripts).map(([name, body]) => {
  const text = COMMON + body
  return [name, { text, sha: createHash('sha1').update(text).digest('hex') }]
})) as Record<ScriptName, { text: string, sha: string }>

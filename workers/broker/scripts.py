"""Lua scripts for the broker, each one atomic step, and the keys that they write.

A message in hand is kept under its tag as "queue LF unix seconds LF message". The keys are our own:
Celery's are shared by all applications on the broker.
"""

from string import Template
from typing import Any, Final

IN_HAND: Final = "halo.in_hand"
TOUCHED: Final = "halo.in_hand.touched"
REDELIVERED: Final = "halo.redelivered"
SET_ASIDE: Final = "halo.set_aside"
SET_ASIDE_COUNT: Final = "halo.set_aside.count"
KEYS: Final = (IN_HAND, TOUCHED, REDELIVERED, SET_ASIDE, SET_ASIDE_COUNT)

#: So many of the newest messages set aside are kept, and so many bytes of each.
MOST_SET_ASIDE: Final = 1000
LONGEST_KEPT: Final = 100_000
#: The counts of redelivery are forgotten a day after the last one.
_REMEMBERED_SECONDS: Final = 86_400

_PRELUDE: Final = Template(r"""
local in_hand, touched, redelivered, set_aside, set_aside_count = unpack(KEYS)
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000

local function hold(tag, queue, raw)
  redis.call('ZADD', touched, now, tag)
  redis.call('HSET', in_hand, tag, queue .. '\n' .. string.format('%.6f', now) .. '\n' .. raw)
end

local function release(tag)
  local value = redis.call('HGET', in_hand, tag)
  redis.call('ZREM', touched, tag)
  redis.call('HDEL', in_hand, tag)
  if value then return string.match(value, '^([^\n]*)\n([^\n]*)\n(.*)$$') end
end

local function put_aside(queue, raw, reason)
  local record = cjson.encode({queue = queue, at = now, reason = reason, bytes = #raw})
  redis.call('LPUSH', set_aside, record .. '\n' .. raw:sub(1, $longest))
  redis.call('LTRIM', set_aside, 0, $most - 1)
  redis.call('INCR', set_aside_count)
  redis.call('HDEL', redelivered, redis.sha1hex(raw))
end
""").substitute(longest=LONGEST_KEPT, most=MOST_SET_ASIDE)

#: Tasks whose calls go together when they wait behind each other (``broker.gathering``).
GATHERED: Final = ("halo.identify", "halo.track", "halo.companies.identify", "halo.leads.capture")
#: In bytes: the largest message that goes with others, and all of them together.
_LONGEST_GATHERED: Final = 100_000
_LONGEST_TOGETHER: Final = 1_000_000

#: Take the oldest message of the first queue that is not empty; and if its call can go together
#: with others, those that wait right behind it. Nothing is gathered while any redelivery is
#: counted: a message that ended a worker comes alone. Arguments: its tag (the others' tags are the
#: same with a number added); how many others at most. Further keys: the queues. Answer: its queue,
#: its bytes, whether any redelivery is counted, the bytes of the others.
TAKE: Final = _PRELUDE + Template(
    """
local gathered = {$gathered}
local together = 0

local function goes_along(raw)
  together = together + #raw
  if #raw > $longest or together > $most then return false end
  local is_json, message = pcall(cjson.decode, raw)
  if not is_json or type(message) ~= 'table' then return false end
  return type(message.headers) == 'table' and gathered[message.headers.task] or false
end

for i = $first, #KEYS do
  local raw = redis.call('RPOP', KEYS[i])
  if raw then
    hold(ARGV[1], KEYS[i], raw)
    local answer = {KEYS[i], raw, redis.call('EXISTS', redelivered)}
    if answer[3] == 0 and goes_along(raw) then
      for number = 1, tonumber(ARGV[2]) do
        local more = redis.call('LINDEX', KEYS[i], -1)
        if not more or not goes_along(more) then break end
        redis.call('RPOP', KEYS[i])
        hold(string.format('%s.%03d', ARGV[1], number), KEYS[i], more)
        answer[#answer + 1] = more
      end
    end
    return answer
  end
end
return false
"""
).substitute(
    gathered=", ".join(f"['{name}'] = true" for name in GATHERED),
    longest=_LONGEST_GATHERED,
    most=_LONGEST_TOGETHER,
    first=len(KEYS) + 1,
)

#: Note a message that another command popped as in hand. Arguments: its tag, queue, bytes.
NOTE: Final = (
    _PRELUDE
    + """
hold(ARGV[1], ARGV[2], ARGV[3])
return redis.call('EXISTS', redelivered)
"""
)

#: Touch the messages in hand with these tags.
TOUCH: Final = (
    _PRELUDE
    + """
for _, tag in ipairs(ARGV) do redis.call('ZADD', touched, 'XX', now, tag) end
"""
)

#: Set a message aside. Arguments: its tag, the reason.
PUT_ASIDE: Final = (
    _PRELUDE
    + """
local queue, _, raw = release(ARGV[1])
if queue then put_aside(queue, raw, ARGV[2]) end
"""
)

#: Put messages in hand into other queues, behind those that wait there: each into all of them.
#: Arguments: the number of queues; the queues; the messages' tags. Answer: how many were in hand.
FORWARD: Final = (
    _PRELUDE
    + """
local last = 1 + tonumber(ARGV[1])
local sent = 0
for position = last + 1, #ARGV do
  local queue, _, raw = release(ARGV[position])
  if queue then
    for number = 2, last do redis.call('LPUSH', ARGV[number], raw) end
    sent = sent + 1
  end
end
return sent
"""
)

#: Put messages back at the heads of their queues. Arguments: whether that counts as a redelivery
#: ("1"); seconds of patience; the most redeliveries; tags. With patience 0 the tags are put back,
#: else every message that no worker has touched for so long. Tags sort by when they were taken: the
#: oldest goes back last, so it is at the head. Answer: how many.
GIVE_BACK: Final = (
    _PRELUDE
    + """
local counts, patience, most = ARGV[1] == '1', tonumber(ARGV[2]), tonumber(ARGV[3])
local tags = {unpack(ARGV, 4)}
if patience > 0 then
  tags = redis.call('ZRANGEBYSCORE', touched, '-inf', now - patience, 'LIMIT', 0, 1000)
end
table.sort(tags, function(a, b) return a > b end)
local given = 0
for _, tag in ipairs(tags) do
  local queue, at, raw = release(tag)
  if queue then
    local count, digest = 0, redis.sha1hex(raw)
    if counts then
      local known = redis.call('HGET', redelivered, digest)
      if known then count, at = string.match(known, '^(%d+) (.*)$') end
      count = tonumber(count) + 1
      redis.call('HSET', redelivered, digest, string.format('%d %s', count, at))
      redis.call('EXPIRE', redelivered, $remembered)
    end
    if count > most then
      put_aside(queue, raw, 'workers died ' .. count .. ' times while they had it in hand')
    else
      redis.call('RPUSH', queue, raw)
    end
    given = given + 1
  end
end
return given
""".replace("$remembered", str(_REMEMBERED_SECONDS))
)


def run(client: Any, script: str, *arguments: Any) -> Any:
    """Run a script that needs no further keys, and return its answer."""
    return client.eval(script, len(KEYS), *KEYS, *arguments)

-- Tokens that are good once, for a document or an event: what was used is in the store that all workers share,
-- and that lasts. A key is "spent/ID/NAME", as one token may be for all documents of a directory;
-- its text is when, by whom, and whether what it was for has been done.
--
-- It is used when the answer is about to be sent, not when it has been: of two who ask at once one
-- alone is answered. For a while (`tokens.grace_s`) it is good again for the same address: an answer
-- that was lost on its way, or broke off, is asked for again, in parts too.

local store = require "store"
local token = require "token"
local waits = require "waits"

local host = host

local spent = {}

local TRIES = 3 -- to be the first, or to see who was
local LATER = 60 -- seconds that it is remembered longer than it is good

local function key_of(id, name)
    return (("spent/" .. id .. "/" .. name):sub(1, store.KEY_MAX))
end

local function text_of(client, done)
    return ('{"at":%d,"by":"%s","done":%s}'):format(host.time(), client, tostring(done))
end

-- The use that is there, for who asks now -> use | nil, why it is refused.
local function again(text, client)
    local at, by, done = text:match '^{"at":(%d+),"by":"(.-)","done":(%a+)}$'
    if at and by == client and host.time() - tonumber(at) <= host.token.grace then
        return { done = done == "true" }
    end
    return nil, ("the token was used already, by %s"):format(by or "somebody")
end

-- May who asks use it? Changes nothing -> true | nil, why not.
local function look(kept, id, name, client)
    local text = kept:get(key_of(id, name))
    if text then
        local use, problem = again(text, client)
        return use and true, problem
    end
    return true
end

-- Uses it; may wait -> use: { key =, client =, ttl =, done = what it was for has been done before }
-- | nil, why not, whether that is the store's fault.
local function claim(kept, id, left, name, client)
    local use = { key = key_of(id, name), client = client, ttl = left + host.token.grace + LATER }
    for _ = 1, TRIES do
        local text = kept:get(use.key)
        if text then
            local before, problem = again(text, client)
            use.done = before and before.done
            return before and use, problem
        end
        local version, problem = kept:write { key = use.key, text = text_of(client, false), ttl = use.ttl, version = 0 }
        if version then
            return use
        elseif version == nil then
            return nil, problem, true
        end
    end
    return nil, "the token is used by others just now", true
end

-- The use of the token in a segment; what only looks does not use it -> use; false: it is good more
-- than once | nil, why it is refused, whether that is the fault of the store alone.
function spent.use(kept, segment, name, client, looks)
    local id, left = token.once(segment)
    if not id then
        return false
    end
    local ok, use, problem, at_fault
    if looks then
        ok, use, problem = waits.guard(look, kept, id, name, client)
    else
        ok, use, problem, at_fault = waits.guard(claim, kept, id, left, name, client)
    end
    if not ok then
        return nil, use, true
    end
    return use, problem, at_fault
end

-- Why a document that is given once is not given; nil when it is. HEAD does not use it.
function spent.problem(kept, segment, name, request)
    local use, problem, at_fault = spent.use(kept, segment, name, request.client, request.method == "HEAD")
    if use == false then
        return "the token is not one that is good once"
    end
    return use == nil and problem or nil, at_fault
end

-- What it was for has been done: to be asked again is to be told so.
function spent.done(kept, use)
    return kept:write { key = use.key, text = text_of(use.client, true), ttl = use.ttl }
end

-- What it was for could not be done: it was not used.
function spent.release(kept, use)
    return kept:write { key = use.key }
end

return spent

-- Tokens in URLs: a segment that says who the machine is (identity.lua) ends in one,
-- "~mac=52:54:00:12:34:56~token=0f3c…", which only who was told it can know. It is good for this
-- machine, one purpose and one name (core/token.h); with a name that ends in "/", for all beneath.
--
-- Where nothing is served (`moonboot test`, `eval`) there are none, and none is asked for.

local host = host

local token = {}

-- The segment with its token; `client` is the address that is told it. `once`: one that is good once.
function token.add(segment, purpose, name, client, once)
    if not host.token then
        return segment
    end
    return segment .. "~token=" .. (once and host.token.single or host.token.make)(purpose, segment, name, client)
end

-- Of a good token in a segment that is good once what it is remembered by, and how long it lives
-- (spent.lua); nil for any other.
function token.once(segment)
    local text = host.token and (segment or ""):match("~token=(.*)$")
    if text then
        return host.token.once(text)
    end
end

-- Why a request with this segment (nil: none) is to be refused; nil when it is not. The reason
-- is for the log: who asks learns none (token.refusal).
function token.problem(segment, purpose, name, client)
    if not host.token then
        return nil
    end
    local machine, text = (segment or ""):match("^(.-)~token=(.*)$")
    if text then
        return host.token.problem(purpose, machine, name, client, text)
    end
    return host.token.required and "there is no token" or nil
end

-- The same whatever is wrong, and whether or not there is what was asked for.
function token.refusal()
    return { error = "a valid token is needed", reason = "denied" }
end

return token

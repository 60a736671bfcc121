-- What a policy asks of others in a test, as core/http_client.c and core/http_cache.c do it live: redirects,
-- time limits, answers that are kept. Who answers are the test's stubs.

local json = require "json"
local names = require "testing.names"
local stubs = require "testing.stubs"

local network = {}

local Network = {}
Network.__index = Network

-- Of what a test says (`http`, `dns`). `used`: set of what was asked, in all worlds of the test.
function network.new(body, used)
    used = used or {}
    return setmetatable({ stubs = stubs.new(body.http, used), names = names.new(body.dns, used), kept = {} }, Network)
end

-- What is wrong with what a test says; nil when nothing is.
function network.problem(body)
    return stubs.problem(body.http) or names.problem(body.dns)
end

-- What of it nobody asked for in any world of the test, as differences.
function network.unused(body, used)
    local found = stubs.unused(body.http, used)
    for _, each in ipairs(names.unused(body.dns, used)) do
        found[#found + 1] = each
    end
    return found
end

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

-- "Name: value", or "Name;" without one -> by names in lower case.
local function headers_of(list)
    local headers = {}
    for _, field in ipairs(list or {}) do
        local name, value = field:match "^([^:;]+)[:;] ?(.*)$"
        headers[name:lower()] = value
    end
    return headers
end

-- A stub's answer as a response { status =, type =, body = }, and where it leads.
local function response_of(answer, method)
    local headers = {}
    for name, value in pairs(answer.headers or {}) do
        headers[name:lower()] = value
    end
    local body, kind = answer.body or "", headers["content-type"]
    if answer.json ~= nil then
        body, kind = json.encode(answer.json), kind or "application/json"
    end
    body = method == "HEAD" and "" or body
    return { status = answer.status or 200, type = kind or "", body = body }, headers.location
end

-- Where a Location leads from that URL.
local function follow(from, location)
    local scheme, authority = from:match "^(%a+:)//([^/?#]*)"
    if location:find "^%a[%w+.-]*:" then
        return location
    elseif location:find "^//" then
        return scheme .. location
    elseif location:find "^/" then
        return scheme .. "//" .. authority .. location
    end
    local directory = from:gsub("[?#].*$", ""):match "^%a+://[^/]*(/.*/)[^/]*$" or "/"
    return scheme .. "//" .. authority .. directory .. location
end

-- Asks the stubs -> seconds, response | nil, message.
function Network:ask(wait)
    local request = { method = wait.method, url = wait.url, headers = headers_of(wait.headers), body = wait.body }
    local spent = 0
    for _ = 0, wait.redirects do
        local answer = self.stubs:answer(request)
        spent = spent + (answer.delay or 0)
        if spent >= wait.timeout then
            return wait.timeout, nil, ("no answer within %g s"):format(wait.timeout)
        elseif answer.unreachable or answer.fail then
            return spent, nil, answer.fail or "Connection refused"
        end
        local response, location = response_of(answer, request.method)
        if not (REDIRECTS[response.status] and location and wait.redirects > 0) then
            if #response.body > wait.max then
                return spent, nil, "the answer is too large"
            end
            return spent, response
        end
        local again = request.method == "HEAD" or response.status > 303
        request = { method = again and request.method or "GET", url = follow(request.url, location),
                    headers = request.headers, body = again and request.body or nil }
    end
    return spent, nil, ("Maximum (%d) redirects followed"):format(wait.redirects)
end

-- `wait` of a decision that has `left` seconds to wait, at the time `now` -> the seconds it takes,
-- and the answer.
function Network:http(wait, now, left)
    if not wait.key then
        return self:ask(wait)
    end
    local old = self.kept[wait.key]
    if old and old.at > now then
        return old.at - now, old.response -- it was asked for by a decision that could not wait so long
    elseif old and now - old.at < wait.ttl then
        return 0, old.response
    end
    local after, response, problem = self:ask(wait)
    local failed = not response or response.status >= 500
    local usable = old and now + after - old.at < wait.ttl + wait.stale
    if not failed then
        self.kept[wait.key] = { at = now + after, response = response }
    end
    if after >= left and usable then
        return left - 1e-10, old.response -- it is given just before the deadline
    elseif failed and usable then
        return after, old.response
    end
    return after, response, problem
end

local NOBODY = "nobody answers in this test"

local function found(stubs_of, wait, after, ...)
    if after then
        return after, ...
    end
    stubs_of:nobody("dns", "no name but those of the test's `dns`", wait.name)
    return 0, nil, NOBODY
end

-- The seconds that a wait takes, and its answer.
function Network:answer(wait, now, left)
    if wait.kind == "http" then
        return self:http(wait, now, left)
    end
    if wait.kind == "dns" then
        return found(self.stubs, wait, self.names:answer(wait))
    end
    self.stubs:nobody("waits", "what a test can answer", wait.kind)
    return 0, nil, NOBODY
end

return network

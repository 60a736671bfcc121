-- http.client: what is asked, and what becomes of the answer.

local engine = require "engine"
local policies = require "policies"
local waits = require "waits"

local tests = {}

-- Decides with the body of a function; `answer(wait)` serves -> decision, the last wait.
local function decide(setup, body, answer)
    local policy = policies.load(setup .. "\nprofile 'p' { kernel = 'k' }\nrule 'r' { on_error = deny 'failed', boot = function(m)\n"
                                 .. body .. "\nend }")
    local asked
    local d = waits.run(function(wait)
        asked = wait
        if answer then
            return answer(wait)
        end
        return { status = 200, type = "application/json; charset=utf-8", body = '{"role":"p"}' }
    end, function()
        return engine.decide(policy, policies.machine({ mac = "52:54:00:00:00:01", serial = "a b/c" }, "ipxe")):render()
    end)
    return d, asked
end

local CLIENT = 'local c = http.client { base = "http://cmdb.lab/api/", timeout = 0.8, headers = { B = "2", A = "1" } }'

function tests.what_is_asked()
    local _, wait
    local d
    d, wait = decide(CLIENT, 'return (assert(c:get("/hosts/%s?s=%s&x=%%41%20", m.mac, m.serial))).role')
    assert(d.verdict == "boot" and d.error == nil, d.error)
    assert(wait.kind == "http" and wait.method == "GET" and wait.timeout == 0.8 and wait.body == nil)
    assert(wait.url == "http://cmdb.lab/api/hosts/52%3A54%3A00%3A00%3A00%3A01?s=a%20b%2Fc&x=%41%20", wait.url)
    assert(table.concat(wait.headers, "|") == "A: 1|B: 2" and wait.key == nil)
    assert(wait.max == 1048576 and wait.redirects == 5 and wait.insecure == false)
    _, wait = decide(CLIENT, 'c:post("x/%s", m.mac, { a = { 1 } })')
    assert(wait.method == "POST" and wait.body == '{"a":[1]}' and wait.headers[3] == "Content-Type: application/json")
    _, wait = decide(CLIENT, 'c:put("x", "text")')
    assert(wait.method == "PUT" and wait.body == "text" and #wait.headers == 2)
    _, wait = decide(CLIENT, 'c:delete("https://other.lab/%s", 7)')
    assert(wait.method == "DELETE" and wait.url == "https://other.lab/7")
    _, wait = decide('local c = http.client { base = "http://x", cache = { ttl = 5, stale_if_error = 7,\n'
                     .. 'key = function(u) return (u:gsub("%?.*", "")) end } }', 'c:get("a?b=1")')
    assert(wait.key:match "\nhttp://x/a$" and wait.ttl == 5 and wait.stale == 7)
    _, wait = decide('local c = http.client { base = "http://x", cache = { ttl = 5 } }', 'c:post("a", "")')
    assert(wait.key == nil)
end

-- What one client was told by its way is not for another: each of these is kept apart.
function tests.what_is_kept_apart()
    local seen = {}
    for _, way in ipairs { "", 'unix = "/run/a.sock"', 'unix = "/run/b.sock"', 'proxy = "http://p:1"', "verify = false",
                           'cert = "C", key = "K"', 'ca = "C"', 'headers = { A = "1" }' } do
        local _, wait = decide('local c = http.client { base = "http://x", cache = { ttl = 5 }, ' .. way .. " }", 'c:get("a")')
        assert(wait.key and not seen[wait.key], way)
        seen[wait.key] = true
    end
end

function tests.what_becomes_of_the_answer()
    local function result(answer, problem)
        local d = decide(CLIENT, [[
local value, err, status = c:get "/x"
return deny(json.encode { value = value or json.null, err = err or json.null, status = status or json.null })]],
                         function()
            return answer, problem
        end)
        return d.why or d.error
    end
    assert(result({ status = 200, type = "text/plain", body = "text" }) == '{"err":null,"status":200,"value":"text"}')
    assert(result({ status = 201, type = "application/hal+json", body = "[1]" }) == '{"err":null,"status":201,"value":[1]}')
    assert(result({ status = 404, type = "", body = "x" })
           == '{"err":"GET http://cmdb.lab/api/x: status 404","status":404,"value":null}')
    assert(result(nil, "it rains") == '{"err":"GET http://cmdb.lab/api/x: it rains","status":null,"value":null}')
    local garbage = result { status = 200, type = "application/json", body = "{" }
    assert(garbage:find '^{"err":"GET http://cmdb.lab/api/x: .+","status":200,"value":null}$', garbage)
end

function tests.used_wrongly()
    for body, expected in pairs {
        ['c:get(nil)'] = "http: get: found nothing, expected a path",
        ['c:get("/%s")'] = 'http: get "/%s": found nothing for the %s that is number 1',
        ['c:get("/", 1)'] = 'http: get "/": there are 1 values, and 0 are wanted',
        ['c.get("/x")'] = "http: get: call it as client:get(…)",
        ['c:post("/", print)'] = "http: post: JSON has nothing for a function",
        ['c:gte("/")'] = 'an http.client has no method "gte" (did you mean "get"?)',
        ['http.client {}:get("/")'] = 'http: get: "/" is no URL, and the client has no base',
        ['(function() c.get = 1 end)()'] = "this value cannot be changed",
    } do
        local d = decide(CLIENT, "return " .. body)
        assert(d.why == "failed" and d.error:find(expected, 1, true), body .. ": " .. tostring(d.error))
    end
    for _, case in ipairs {
        { '{ bsae = "http://x" }', 'unknown key "bsae" (did you mean "base"?)' },
        { '{ base = "cmdb.lab" }', 'base: found "cmdb.lab", expected a URL' },
        { '{ timeout = 0 }', "timeout: found 0, expected a number from 0.001 to 60" },
        { '{ headers = { ["a b"] = "x" } }', 'headers: found the name "a b"' },
        { '{ headers = { a = "x\\ny" } }', "headers.a: found" },
        { '{ cache = { stale_if_error = 1 } }', "cache has no ttl" },
        { '"http://x"', 'found "http://x", expected { base' },
        { '{ verify = 1 }', "verify: found 1, expected true or false" },
    } do
        local policy, problems = engine.load { text = "local c = http.client " .. case[1], display = "policy.lua" }
        assert(not policy and problems[1]:find("policy.lua:1: http.client: " .. case[2], 1, true), problems and problems[1])
    end
    local d = decide(CLIENT .. "\nrule 'm' { match = function() c:get '/' end, boot = disk, on_error = deny 'm' }", "")
    assert(d.why == "m" and d.error:find("http can be asked only in the function of a rule's boot", 1, true), d.error)
end

return tests

-- `moonboot test`: who answers what a policy asks of others.

local cli = require "fake_cli"
local stubs = require "testing.stubs"
local world = require "testing.world"

local tests = {}

local POLICY = { state = {}, handlers = {}, onces = {} }

-- Runs f(ask) in a world with these stubs; ask(method, url, more) waits for the answer. Returns what f
-- does, how long it took, what is wrong.
local function ask(wanted, f)
    local w = world.enter(POLICY, { http = wanted })
    local result = w:run(false, f, function(method, url, more)
        local wait = { kind = "http", method = method, url = url, timeout = 5, max = 100, redirects = 5 }
        for key, value in pairs(more or {}) do
            wait[key] = value
        end
        return coroutine.yield(wait)
    end)
    w:leave()
    return result, w.elapsed, w:complaints()
end

local function one(wanted, method, url, more)
    local why
    local answer, took, wrong = ask(wanted, function(get)
        local found
        found, why = get(method, url, more)
        return found
    end)
    return answer, why, took, wrong
end

function tests.answers()
    local wanted = {
        ["GET http://c/a"] = { json = { role = "db", list = { 1 } }, headers = { ["X-Y"] = "z" } },
        ["GET http://c/typed"] = { json = 1, headers = { ["Content-Type"] = "a/b" } },
        ["GET http://c/b?x=1"] = { status = 404, body = "none" },
        ["POST http://c/a"] = function(request) return { status = 201, body = request.body .. request.headers.h } end,
        ["GET http://c/hosts/*"] = { body = "any" },
        ["GET http://c/hosts/1*"] = { body = "one" },
        ["GET http://c/empty"] = {},
    }
    local answer, _, took, wrong = one(wanted, "GET", "http://c/a")
    assert(answer.status == 200 and answer.type == "application/json" and one(wanted, "GET", "http://c/typed").type == "a/b")
    assert(host.json.decode(answer.body).role == "db" and took == 0 and #wrong == 0)
    answer = one(wanted, "GET", "http://c/b?x=1")
    assert(answer.status == 404 and answer.body == "none")
    assert(one(wanted, "POST", "http://c/a", { body = "b", headers = { "H: !", "Empty;" } }).body == "b!")
    assert(one(wanted, "GET", "http://c/hosts/7").body == "any" and one(wanted, "GET", "http://c/hosts/17").body == "one")
    assert(one(wanted, "GET", "http://c/empty").body == "" and one(wanted, "HEAD", "http://c/x") == nil)
    assert(one({ ["GET http://c/hosts/52:54"] = { body = "x" } }, "GET", "http://c/hosts/52%3A54").body == "x")
    assert(one({ ["GET http://c/a%2fb"] = { body = "x" } }, "GET", "http://c/a%2Fb").body == "x")
    assert(one({ ["HEAD http://c/a"] = { body = "x" } }, "HEAD", "http://c/a").body == "")
    local _, why = one({ ["GET http://c/a"] = { body = ("x"):rep(101) } }, "GET", "http://c/a")
    assert(why == "the answer is too large")
end

function tests.redirects()
    local wanted = {
        ["POST http://c/a"] = { status = 303, headers = { Location = "/b?x" } },
        ["GET http://c/b?x"] = { status = 307, headers = { location = "http://d/p/q" }, delay = 0.1 },
        ["GET http://d/p/q"] = { status = 301, headers = { location = "r" }, delay = 0.1 },
        ["GET http://d/p/r"] = { status = 302, headers = { location = "//e/" } },
        ["GET http://e/"] = { body = "there" },
        ["GET http://c/round"] = { status = 302, headers = { Location = "round" } },
        ["PUT http://c/kept"] = { status = 308, headers = { Location = "/new" } },
        ["PUT http://c/new"] = function(request) return { body = request.body } end,
        ["GET http://c/nowhere"] = { status = 302 },
    }
    local answer, _, took = one(wanted, "POST", "http://c/a", { body = "x" })
    assert(answer.body == "there" and math.abs(took - 0.2) < 1e-9)
    local _, why = one(wanted, "GET", "http://c/round")
    assert(why == "Maximum (5) redirects followed")
    assert(one(wanted, "PUT", "http://c/kept", { body = "b" }).body == "b")
    assert(one(wanted, "GET", "http://c/nowhere").status == 302)
    assert(one(wanted, "GET", "http://c/round", { redirects = 0 }).status == 302)
end

local CMDB = [=[
local cmdb = http.client { base = "http://cmdb.lab", timeout = 0.8, headers = { Authorization = "Token 1" } CACHE }
profile "compute" { kernel = "vmlinuz" }
rule "ask the inventory" {
  boot = function(machine)
    local found, err, status = cmdb:get("/hosts/%s", machine.mac)
    if status == 404 then return nil elseif not found then return nil, err end
    return { use = found.role, args = { "hostname=" .. found.name } }
  end,
  on_error = disk,
}
serve "/sell/:serial" (function(request)
  local sold, err = cmdb:post("/hosts/%s/sold", request.params.serial, { by = request.client })
  return sold and "ok\n" or { body = err, status = 502 }
end)
]=]

local function run(body, cache, args)
    return cli.run("test", args or {}, { ["p.lua"] = (CMDB:gsub("CACHE", cache or "")), ["p_test.lua"] = body })
end

local GIVEN = 'given = { mac = "52:54:00:aa:bb:cc", arch = "efi-x64" }, '
local HOST = '["GET http://cmdb.lab/hosts/52:54:00:aa:bb:cc"]'

function tests.policies_that_ask()
    local code, out = run("test 'known' { " .. GIVEN .. "http = { " .. HOST .. ' = { json = { role = "compute", name = "n1" } } },'
        .. ' expect = { boot = "compute", args = { "hostname=n1" }, took = 0, ipxe = contains "hostname=n1", grub = contains "hostname=n1" } }'
        .. "\ntest 'hung' { " .. GIVEN .. "http = { " .. HOST .. ' = { delay = 5 } }, expect = { rule = "ask the inventory", boot = "disk", took = 0.8,'
        .. ' error = contains "no answer within 0.8 s" } }'
        .. "\ntest 'unknown' { " .. GIVEN .. "http = { " .. HOST .. ' = { status = 404 } }, expect = { boot = "ignore", error = false } }'
        .. "\ntest 'gone' { " .. GIVEN .. "http = { " .. HOST .. ' = { unreachable = true } }, expect = { boot = "disk", error = contains "Connection refused" } }'
        .. "\ntest 'rubbish' { " .. GIVEN .. "http = { " .. HOST .. ' = { body = "{", headers = { ["Content-Type"] = "application/json" } } }, expect = { boot = "disk" } }'
        .. '\ntest "sold" { post = "/sell/S1", http = { ["POST http://cmdb.lab/hosts/S1/sold"] = function(request)'
        .. ' return request.headers.authorization == "Token 1" and request.body == [[{"by":"10.0.0.100"}]] and {} or { status = 500 } end },'
        .. ' expect = { body = "ok\\n" } }'
        .. '\ntest "all" { for_all = { mac = any.mac "52:54:00" }, runs = 20, http = { ["GET http://cmdb.lab/hosts/*"] = { json = { role = "compute", name = "x" } } }, expect = { boot = "compute" } }'
        .. '\ntest "soon" { given = { mac = "52:54:00:aa:bb:cc", arch = "efi-x64", stage = "dhcp" }, http = { ' .. HOST .. ' = { delay = 0.5 } },'
        .. ' expect = { boot = "disk", took = 0.4, dhcp = false } }')
    assert(code == 0, out)
end

function tests.worlds_that_are_not_as_the_test_says()
    local code, out = run("test 'x' { " .. GIVEN .. 'expect = { boot = "disk" } }')
    assert(code == 1, out)
    assert(out:find("http\n        expected  no such request: the test has no `http`\n        found     GET http://cmdb.lab/hosts/52%3A54%3A00%3Aaa%3Abb%3Acc", 1, true), out)
    code, out = run("test 'x' { get = '/boot.ipxe', http = { " .. HOST .. " = {} }, expect = { status = 200 } }")
    assert(code == 1)
    assert(out:find("expected  GET http://cmdb.lab/hosts/52:54:00:aa:bb:cc to be asked\n        found     it was not", 1, true), out)
end

function tests.answers_that_are_kept()
    local cache = ", cache = { ttl = 60, stale_if_error = 3600 }"
    local steps = "test 'x' { " .. GIVEN .. "http = { " .. HOST .. ' = { { json = { role = "compute", name = "one" }, delay = 0.5 },'
        .. ' { json = { role = "compute", name = "two" } }, { unreachable = true } } }, steps = { %s } }'
    local code, out = run(steps:format [=[
        expect { args = { "hostname=one" }, took = 0.5, ipxe = contains "one" }, expect { args = { "hostname=one" }, took = 0 },
        wait(61), expect { args = { "hostname=two" } }, wait(61), expect { args = { "hostname=two" }, error = false },
        wait(3600), expect { boot = "disk", error = contains "refused" }]=], cache)
    assert(code == 0, out)
    code, out = run(steps:format [=[expect { args = { "hostname=one" }, ipxe = contains "one" },
        expect { args = { "hostname=two" }, ipxe = contains "two" }, expect { boot = "disk" }]=])
    assert(code == 0, out)
    -- What DHCP cannot wait for is there when it asks again; what is old is better than nothing.
    code, out = run("test 'x' { given = { mac = '52:54:00:aa:bb:cc', arch = 'efi-x64', stage = 'dhcp' }, http = { " .. HOST
        .. ' = { { json = { role = "compute", name = "one" }, delay = 0.6 }, { delay = 5 } } }, steps = { '
        .. 'expect { boot = "disk", took = 0.4 }, expect { boot = "compute", took = 0.2 }, wait(100), expect { boot = "compute", took = 0.4 } } }', cache)
    assert(code == 0, out)
end

function tests.those_that_do_not_answer()
    local wanted = {
        ["GET http://c/slow"] = { delay = 5, body = "late" }, ["GET http://c/gone"] = { unreachable = true },
        ["GET http://c/bad"] = { fail = "the certificate is none", delay = 0.2 }, ["GET http://c/wait"] = { delay = 0.5, body = "now" },
    }
    local answer, why, took = one(wanted, "GET", "http://c/slow", { timeout = 0.8 })
    assert(answer == nil and why == "no answer within 0.8 s" and took == 0.8)
    answer, why, took = one(wanted, "GET", "http://c/gone")
    assert(answer == nil and why == "Connection refused" and took == 0)
    answer, why, took = one(wanted, "GET", "http://c/bad")
    assert(answer == nil and why == "the certificate is none" and took == 0.2)
    answer, why, took = one(wanted, "GET", "http://c/wait", { timeout = 0.8 })
    assert(answer.body == "now" and why == nil and took == 0.5)
end

function tests.lists_are_given_one_after_the_other()
    local bodies, _, wrong = ask({ ["GET http://c/a"] = { { status = 500 }, { fail = "x" }, { body = "ok" } } }, function(get)
        local list = {}
        for i = 1, 4 do
            local answer, why = get("GET", "http://c/a")
            list[i] = answer and answer.status .. answer.body or why
        end
        return table.concat(list, " ")
    end)
    assert(bodies == "500 x 200ok 200ok" and #wrong == 0, bodies)
end

function tests.who_is_not_there_and_who_is_not_asked()
    local _, why, _, wrong = one({ ["GET http://c/a"] = {} }, "GET", "http://c/b")
    assert(why == "nobody answers in this test" and #wrong == 1 and wrong[1].key == "http")
    assert(wrong[1].expected == "no such request: `http` has GET http://c/a" and wrong[1].found == "GET http://c/b")
    _, _, _, wrong = one(nil, "GET", "http://c/b")
    assert(wrong[1].expected == "no such request: the test has no `http`")
    _, _, _, wrong = one({ ["GET http://c/a"] = function() return 1 end }, "GET", "http://c/a")
    assert(wrong[1].found:find "found 1 behind")
    _, _, _, wrong = one({ ["GET http://c/a"] = function() error "mine" end }, "GET", "http://c/a")
    assert(wrong[1].found:find "mine")
    local unused = stubs.unused({ ["GET http://c/b"] = {}, ["GET http://c/a"] = {}, ["GET http://c/c"] = {} }, { ["GET http://c/c"] = true })
    assert(#unused == 2 and unused[1].expected == "GET http://c/a to be asked" and unused[2].found == "it was not")
end

local LOOKS = [=[
rule "looks" {
  boot = function(machine)
    local got, failed = parallel {
      ours = function() return dns.lookup "boot.lab" end, name = function() return dns.ptr(machine.ip) end,
      slow = function() sleep(0.25) return "slept" end,
    }
    return deny(json.encode { got, failed })
  end,
  on_error = disk,
}
]=]

function tests.names()
    local given = 'test "x" { given = { mac = "52:54:00:aa:bb:cc", ip = "10.0.0.9" }, '
    local function look(dns, expected)
        return cli.run("test", {}, { ["p.lua"] = LOOKS, ["p_test.lua"] = given .. "dns = " .. dns .. ", expect = " .. expected .. " }" })
    end
    local code, out = look('{ ["boot.lab"] = { "10.0.0.2", "10.0.0.3", delay = 1 }, ["10.0.0.9"] = "n9.lab" }',
        '{ took = 1, why = [==[[{"name":"n9.lab","ours":["10.0.0.2","10.0.0.3"],"slow":"slept"},{}]]==] }')
    assert(code == 0, out)
    code, out = look('{ ["boot.lab"] = false, ["10.0.0.9"] = { fail = "server failed" } }',
        '{ took = 0.25, why = contains { [["name":"server failed"]], [["ours":"name does not exist"]] } }')
    assert(code == 0, out)
    code, out = look('{ ["boot.lab"] = "10.0.0.2", ["c.lab"] = "10.0.0.3" }', '{ boot = "deny" }')
    assert(code == 1 and out:find('dns\n        expected  no name but those of the test\'s `dns`\n        found     "10.0.0.9"', 1, true)
           and out:find("c.lab to be looked up", 1, true), out)
    for dns, said in pairs {
        ["{ 1 }"] = "`dns` has the key 1", ["{ a = 1 }"] = '`dns`: found 1 behind "a"', ["{ a = contains 'x' }"] = "`dns`: found a table behind",
        ["{ a = 'b' }"] = '`dns`: found "b" for the name "a", expected an IPv4 address', ["{ a = { dealy = 1 } }"] = 'no key "dealy" (did you mean "delay"?)',
        ["{ a = { delay = -1 } }"] = '`dns`: found -1 in the answer for "a"',
    } do
        code, out = look(dns, '{ boot = "deny" }')
        assert(code == 2 and out:find(said, 1, true), out)
    end
end

function tests.what_are_no_stubs()
    for body, said in pairs {
        ["1"] = "`http` is 1, and must be a table",
        ["{ 1 }"] = "`http` has the key 1",
        ["{ ['get http://c'] = {} }"] = '`http` has the key "get http://c"',
        ["{ ['GET http://c'] = 1 }"] = '`http`: found 1 behind "GET http://c"',
        ["{ ['GET http://c'] = contains 'x' }"] = "`http`: found a table behind",
        ["{ ['GET http://c'] = { staus = 1 } }"] = '`http`: an answer has no key "staus" (did you mean "status"?)',
        ["{ ['GET http://c'] = { {}, { body = 1 } } }"] = '`http`: `body` of "GET http://c" is 1, and must be a string',
        ["{ ['GET http://c'] = { body = 'x', json = 1 } }"] = "has `json` or `body`",
        ["{ ['GET http://c'] = { json = print } }"] = "`json` of \"GET http://c\": JSON has nothing",
        ["{ ['GET http://c'] = { delay = -1 } }"] = "`delay` of \"GET http://c\" is -1",
        ["{ ['GET http://c'] = {} }"] = "GET http://c to be asked",
    } do
        local code, out = cli.run("test", {}, { ["p.lua"] = "rule 'x' { boot = disk }",
                                                ["p_test.lua"] = "test 'x' { http = " .. body .. ", expect = { boot = 'disk' } }" })
        assert(code == (body:find "= {} }$" and not body:find "get" and 1 or 2), body .. "\n" .. out)
        assert(out:find(said, 1, true), said .. "\n" .. out)
    end
end

return tests

local identity = require "identity"
local policies = require "policies"
local routes = require "routes"
local token = require "token"

local host = host

local tests = {}

local POLICY = policies.load [=[
profile "node" {
  kernel = "vmlinuz",
  args   = { "one={{config 'a/one'}}", "a={{config 'a/'}}", "all={{config '/'}}" },
  config = { ["a/one"] = "for {{mac}} of {{serial or 'nobody'}}\n", two = "{{config 'a/one'}}" },
}
rule "thief" { match = { serial = "S" }, boot = deny "stolen" }
rule "nodes" { match = { mac = prefix "52:54:00" }, boot = "node" }
]=]

-- In place of the C half: a token that says what it is for (test_token.c tests the real one).
local function with_tokens(required, f)
    local now = 0
    host.token = { required = required }
    function host.token.make(purpose, machine, name, client)
        return table.concat({ purpose, (machine:gsub("~", "_")), (name:gsub("/", "+")), client or "nobody", now }, "!")
    end
    function host.token.problem(purpose, machine, name, client, text)
        local beneath = text:match("^[^!]*![^!]*!([^!]*)"):gsub("%+", "/")
        local covers = beneath == "" or beneath:sub(-1) == "/" and name:sub(1, #beneath) == beneath
        if text ~= host.token.make(purpose, machine, covers and beneath or name, client) then
            return "wrong"
        end
    end
    local ok, message = xpcall(f, debug.traceback, function() now = now + 1 end)
    host.token = nil
    assert(ok, message)
end

local function get(path, query, client)
    return routes.handle(POLICY, { protocol = "http", method = "GET", path = path, query = query,
                                   client = client or "10.0.0.77", base = "http://h", server = "10.0.0.2" })
end

local function urls_of(query)
    local script = get("/ipxe", query).body
    local one, a, all = script:match("one=http://h(%S+) a=http://h(%S+) all=http://h(%S+)")
    assert(one, script)
    return one, a, all
end

local function refuses(path, query, client)
    local reply, info = get(path, query, client)
    assert(reply.error == "a valid token is needed" and reply.reason == "denied" and not reply.body, path)
    assert(info.verdict == "refused" and info.stage == "config" and info.rule == nil, info.verdict)
    return info
end

function tests.what_was_told_is_given()
    with_tokens(true, function()
        local one, a, all = urls_of "mac=525400000001&serial=R5"
        for _, path in ipairs { one, a .. "one", all .. "a/one" } do
            assert(get(path).body == "for 52:54:00:00:00:01 of R5\n", path)
        end
        assert(get(all .. "two").body == "http://h" .. one)
        assert(get(all .. "three").reason == "not-found")
    end)
end

function tests.nothing_else_is()
    with_tokens(true, function(later)
        local one, a, all = urls_of "mac=525400000001&serial=R5"
        for _, path in ipairs {
            (one:gsub("00:01", "00:02", 1)), -- another machine
            (one:gsub("serial=R5", "serial=S", 1)),
            (one:gsub("~serial=R5", "", 1)),
            (one:gsub("one$", "two")), -- another document, there or not
            (one:gsub("one$", "nope")),
            (a:gsub("a/$", "two")),
            (one:gsub("~token=[^/]*", "")),
            (one:gsub("~token=", "~token=x~token=")),
            (one:gsub("~token=", "~tokens=")),
            (one:gsub("(~token=[^/]*)", "%1%1")),
            "/config/a/one", "/config/nope",
        } do
            local info = refuses(path, "mac=525400000001")
            assert(info.error:find("^10%.0%.0%.77 asked for "), info.error)
        end
        refuses(one, nil, "10.0.0.78")
        later()
        refuses(all .. "two")
    end)
end

-- Who has a token of his own must not put another's name beside it.
function tests.a_query_adds_nothing_to_a_segment()
    with_tokens(true, function()
        local one = urls_of "mac=525400000001"
        assert(get(one, "serial=R5&uuid=11111111-2222-3333-4444-555555555555").body == "for 52:54:00:00:00:01 of nobody\n")
    end)
end

function tests.optional()
    with_tokens(false, function()
        local one = urls_of "mac=525400000001"
        assert(get(one).status == 200)
        assert(get("/config/a/one", "mac=525400000001").status == 200)
        assert(get((one:gsub("~token=[^/]*", ""))).status == 200)
        refuses((one:gsub("~token=", "~token=x")))
        refuses((one:gsub("00:01", "00:02", 1)))
    end)
end

function tests.where_nothing_is_served_there_are_none()
    assert(token.add("~mac=1", "config", "x") == "~mac=1")
    assert(token.problem(nil, "config", "x") == nil)
    assert(get("/config/a/one", "mac=525400000001").status == 200)
end

function tests.a_token_is_no_field_of_the_machine()
    local fields = identity.read "~mac=52:54:00:00:00:01~token=00"
    assert(fields.token == nil and fields.label.token == nil and fields.mac)
end

--- Good once ------------------------------------------------------------------------------------

local ONCE = policies.load [=[
profile "node" {
  kernel = "vmlinuz",
  args   = { "key={{config 'a/key'}}", "a={{config 'a/'}}", "event={{event('done', 'once')}}" },
  config = { ["a/key"] = { "key of {{mac}}\n", once = true }, ["a/open"] = "open\n", ["b"] = { "b", once = true },
             ["fails"] = { "{{error('x')}}", once = true } },
}
rule "nodes" { match = { mac = prefix "52:54:00" }, boot = "node" }
on("done", function(machine, event)
  if event.params.fail then error("failed") end
  state.update("done", function(n) return (n or 0) + 1 end)
end)
]=]

-- In place of the C half: one that is good once ends in a number that none had before.
local function with_once(f)
    with_tokens(true, function()
        local made, now = 0, host.time()
        local plain, problem = host.token.make, host.token.problem
        host.token.grace = 60
        function host.token.single(purpose, machine, name)
            made = made + 1
            return "once" .. made .. "!" .. plain(purpose, machine, name)
        end
        function host.token.problem(purpose, machine, name, _, text)
            return problem(purpose, machine, name, nil, (text:gsub("^once%d+!", "")))
        end
        function host.token.once(text)
            local id = text:match "^(once%d+)!"
            return id, id and 1000
        end
        local time = host.time
        function host.time()
            return now
        end
        ONCE.state.store = require "store".memory(host.time)
        local ok, message = xpcall(f, debug.traceback, function(seconds) now = now + seconds end)
        host.time = time
        assert(ok, message)
    end)
end

local function ask(url, client, method)
    local path, text = url:match "^http://h([^?]*)%??(.*)$"
    return routes.handle(ONCE, { protocol = "http", method = method or "GET", path = path, query = text,
                                 client = client or "10.0.0.77", base = "http://h", server = "10.0.0.2" })
end

local function told_once()
    local script = ask("http://h/ipxe?mac=525400000001").body
    return script:match "key=(%S+) a=(%S+) event=(%S+)"
end

local function is_refused(reply, info, why)
    assert(reply.error == "a valid token is needed" and reply.reason == "denied", reply.body or reply.error)
    assert(info.error:find(why, 1, true), info.error)
end

function tests.once_is_once()
    with_once(function(later)
        local key, other = told_once(), (told_once())
        assert(key ~= other)
        assert(ask(key, nil, "HEAD").body == "key of 52:54:00:00:00:01\n")
        assert(ask(key).body == "key of 52:54:00:00:00:01\n")
        local reply, info = ask(key, "10.0.0.78")
        is_refused(reply, info, "10.0.0.78 asked for a/key: the token was used already, by 10.0.0.77")
        reply, info = ask(key, "10.0.0.78", "HEAD")
        is_refused(reply, info, "used already")
        later(60)
        assert(ask(key).body and ask(key, nil, "HEAD").body, "the grace for who used it")
        later(1)
        reply, info = ask(key)
        is_refused(reply, info, "10.0.0.77 asked for a/key: the token was used already, by 10.0.0.77")
        assert(ask(other).body, "what was told anew")
    end)
end

function tests.once_of_a_directory_is_once_each()
    with_once(function(later)
        local _, dir = told_once()
        assert(ask(dir .. "key").body and ask(dir .. "open").body)
        later(61)
        is_refused(select(1, ask(dir .. "key")), select(2, ask(dir .. "key")), "used already")
        assert(ask(dir .. "open").body, "it is not given once alone")
    end)
end

function tests.once_wants_a_token_that_is()
    with_once(function()
        local segment = "~mac=52:54:00:00:00:01"
        local url = "http://h/config/" .. segment .. "~token=" .. host.token.make("config", segment, "b") .. "/b"
        local reply, info = ask(url)
        is_refused(reply, info, "asked for b: the token is not one that is good once")
        host.token.required = false
        reply, info = ask "http://h/config/b?mac=525400000001"
        is_refused(reply, info, "the token is not one that is good once")
    end)
end

function tests.once_is_not_used_by_what_fails()
    with_once(function()
        local segment = "~mac=52:54:00:00:00:01"
        local text = host.token.single("config", segment, "fails", "10.0.0.77")
        assert(ask("http://h/config/" .. segment .. "~token=" .. text .. "/fails").reason == "failed")
        assert(#ONCE.state.store:list "spent/" == 0)
        function ONCE.state.store.write() -- a store that is full
            return nil, "it is full"
        end
        local reply, info = ask((told_once()))
        assert(reply.reason == "failed" and not reply.body and info.error == "it is full", info.error)
    end)
end

function tests.events_once()
    with_once(function(later)
        local _, _, url = told_once()
        local reply, info = ask(url .. "&fail=1", nil, "POST")
        assert(reply.reason == "failed" and info.error:find "failed")
        assert(ask(url, nil, "POST").body == "ok\n", "what failed was not used")
        assert(ask(url, nil, "POST").body == "ok\n", "an answer that was lost")
        is_refused(select(1, ask(url, "10.0.0.78", "POST")), select(2, ask(url, "10.0.0.78", "POST")),
                   "10.0.0.78 posted done: the token was used already, by 10.0.0.77")
        later(61)
        reply, info = ask(url, nil, "POST")
        is_refused(reply, info, "used already")
        local counts = {}
        for _, entry in ipairs(ONCE.state.store:list "") do
            if entry.key:find "done$" and not entry.key:find "^spent/" then
                counts[#counts + 1] = entry.text
            end
        end
        assert(counts[1] == "1", "taken in once")
    end)
end

function tests.once_is_said_right()
    policies.refuses([=[
profile "p" { kernel = "k", config = { a = { "x", once = 1 }, b = { "x", onec = true } } }
]=], { 'policy.lua:1: config.a.once: found 1, expected true or false',
       'policy.lua:1: config.b: found the key "onec", expected template "file", a text, or { template "file", '
       .. 'type = "…", once = true }' })
    assert(ONCE.stateful)
    local policy = policies.load [=[
profile "p" { kernel = "k", args = { "{{event('done', 'twice')}}" } }
rule "all" { boot = "p" }
]=]
    local d = require "engine".decide(policy, policies.machine { mac = "52:54:00:00:00:01" }):render()
    assert(d.error:find('event: found "done", and "twice" behind it, expected "once" or nothing', 1, true), d.error)
end

return tests

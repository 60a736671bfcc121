-- status, reload, top and machines: the commands that speak to a running service.

local cli = require "fake_cli"
local figures = require "cli.figures"
local json = require "json"

local tests = {}

local function status(over)
    local fields = {
        generation = [[{"number":2,"at":900,"hash":"cafe","warnings":["p.lua:9: hm"],"policy":"p.lua","by":{"kind":"signal","pid":7,"uid":5}}]],
        refused = [[{"at":950,"by":{"kind":"control","pid":8,"uid":6},"errors":["p.lua:1: no","p.lua:2: nor that"]}]],
        decisions = "4", now = "1000",
    }
    for key, value in pairs(over or {}) do
        fields[key] = value
    end
    return ([[{"version":"1","pid":3,"state":"serving","started":1,"now":$now,"site":"s.yaml","control":"/c",
        "generation":$generation,"refused":$refused,"reloads":2,"reloads_refused":1,
        "workers":[{"slot":0,"pid":11,"state":"serving","generation":2,"started":940,"restarts":3,"memory_kb":2048,
        "connections":5,"transfers":6,"waiting":7}],
        "sockets":[{"service":"tftp","address":"0.0.0.0","port":69},{"service":"http","address":"10.0.0.1","port":80}],
        "counters":{"moonboot_decisions_total":$decisions,"moonboot_decision_microseconds_total":$decisions00,
        "moonboot_http_responses_total{code=\"2xx\"}":3,"moonboot_http_responses_total{code=\"4xx\"}":4,
        "moonboot_tftp_sent_bytes_total":1234567}}]]):gsub("%$(%l+)", fields) .. "\n"
end

-- Answers, one after the other, from a service whose socket is found by the site's name; then it is
-- gone, or what `refusal` says.
local function run(command, args, answers, refusal)
    local asked = {}
    local code, out, err = cli.run(command, args, {}, nil, {
        control_path = function(site)
            if site == "off.yaml" then
                return nil
            elseif site == "nope.yaml" then
                return nil, "nope.yaml: No such file or directory"
            end
            return "/run/" .. (site or "default") .. ".sock"
        end,
        ask = function(path, line)
            asked[#asked + 1] = path .. " " .. line
            local answer = table.remove(answers, 1)
            if not answer then
                return nil, unpack(refusal or { "Connection refused", "absent" })
            end
            return answer
        end,
        date = function(seconds)
            return "date " .. seconds
        end,
        sleep = function() end,
    })
    return code, out, err, asked
end

local function has(text, ...)
    for _, part in ipairs { ... } do
        assert(text:find(part, 1, true), ("no %q in:\n%s"):format(part, text))
    end
end

function tests.status_shows_everything()
    local code, out, err, asked = run("status", { "-c", "a" }, { status() })
    assert(code == 0 and err == "", err)
    assert(asked[1] == "/run/a.sock status")
    has(out, "moonboot    1, serving for 16 min 39 s, process 3, s.yaml\n",
        "generation  2, loaded date 900 (1 min 40 s ago) by SIGHUP from process 7 (user 5)\n",
        "policy      p.lua (cafe)\n", "warnings    p.lua:9: hm\n",
        "refused     a load, date 950 (50 s ago) by process 8 (user 6) over the control socket:\n",
        "            p.lua:1: no\n            p.lua:2: nor that\n",
        "state       none: nothing is remembered (`state` in site.yaml)\n",
        "sockets     tftp 0.0.0.0:69, http 10.0.0.1:80\n",
        "workers     slot  pid  state    generation  up     restarts  memory  connections  transfers  waiting\n",
        "               0   11  serving           2  1 min         3  2.1 MB            5          6        7\n",
        "decisions   4 (0 failed, 0 out of time, 0 turned away)\n", "http        7 responses", "1.2 MB sent")
end

function tests.status_without_a_generation_or_refusal()
    local code, out = run("status", {}, { status { generation = "null", refused = "null" } })
    assert(code == 0)
    has(out, "generation  none yet\n")
    assert(not out:find("refused", 1, true) and not out:find("\nstate ", 1, true))
end

function tests.status_as_json_is_the_services_own()
    local code, out, _, asked = run("status", { "--json", "--socket=/x" }, { status() })
    assert(code == 0 and out == status())
    assert(asked[1] == "/x status")
end

function tests.no_service()
    local code, _, err = run("status", {}, {})
    assert(code == 1)
    has(err, "moonboot status: /run/default.sock: Connection refused: is the service running?\n")
    code, _, err = run("reload", { "--config", "off.yaml" }, {})
    assert(code == 1)
    has(err, "this site has no control socket")
    for _, command in ipairs { "status", "reload", "top", "machines" } do
        local _, _, problem, asked = run(command, { "-c", "nope.yaml" }, { "{}" })
        assert(problem == "moonboot " .. command .. ": nope.yaml: No such file or directory\n" and #asked == 0, problem)
    end
    code, _, err = run("status", {}, {}, { "Permission denied", "denied" })
    assert(code == 1)
    has(err, "/run/default.sock: Permission denied: root, its owner and members of `control_group` may use it\n")
    code, _, err = run("status", {}, {}, { "no answer came in time" })
    assert(code == 1)
    has(err, "/run/default.sock: no answer came in time\n")
    code, _, err = run("reload", {}, { "" })
    assert(code == 1)
    has(err, "ended without an answer")
    code, _, err = run("top", {}, { "rubbish" })
    assert(code == 1)
    has(err, "the answer is no JSON")
end

function tests.reload_tells_what_came_of_it()
    local code, out, err, asked = run("reload", {}, { '{"result":"loaded","generation":3,"errors":[],"warnings":["p:1: x"]}' })
    assert(code == 0 and out == "generation 3 serves\n" and err == "warning: p:1: x\n" and asked[1] == "/run/default.sock reload")
    code, out, err = run("reload", {}, { '{"result":"refused","generation":3,"errors":["a:1: x","b"]}' })
    assert(code == 1 and out == "" and err == "a:1: x\nb\nrefused: generation 3 goes on serving\n", err)
    code, out, err = run("reload", {}, { '{"error":"the service is stopping"}' })
    assert(code == 1 and out == "" and err == "moonboot reload: the service is stopping\n")
end

function tests.usage()
    for _, command in ipairs { "status", "reload", "top" } do
        local code, out = run(command, { "--help" }, {})
        assert(code == 0)
        has(out, "Usage: moonboot " .. command, "Exit codes:")
        for wrong, problem in pairs { ["--nonsense"] = "Try: moonboot " .. command .. " --help",
                                      extra = 'unexpected "extra"' } do
            local err = select(3, run(command, { wrong }, {}))
            assert(run(command, { wrong }, {}) == 2)
            has(err, problem)
        end
    end
end

function tests.top_fits_its_screen()
    local code, out = run("top", { "--once" }, { status(), status { decisions = "10", now = "1001" } })
    assert(code == 0 and not out:find("\27"))
    has(out, "the last reload was refused: p.lua:1: no\n", "a decision         100 us\n", "   0   11  serving")
    local worker = status():match '{"slot".-}'
    local many = status():gsub('{"slot".-}', worker .. ("," .. worker):rep(63))
    code, out = run("top", {}, { many, many, many })
    assert(code == 1) -- the service went away
    has(out, "\27[H", "\27[J")
    local lines = 0
    for line in out:match("^\27%[H(.-)\27%[J"):gmatch "[^\n]+" do
        lines = lines + 1
        assert(#line:gsub("\27%[K", "") <= 80, line)
    end
    assert(lines <= 24, lines)
end

function tests.figures()
    assert(figures.asker { kind = "watch", file = "a.lua" } == "as a.lua has changed")
    assert(figures.asker { kind = "start" } == "at the start")
    assert(figures.duration(0) == "0 s" and figures.duration(59.9) == "59 s" and figures.duration(60) == "1 min")
    assert(figures.duration(90061) == "1 d 1 h" and figures.duration(-5) == "0 s")
    assert(figures.amount(0, "B") == "0 B" and figures.amount(999) == "999" and figures.amount(1000) == "1.0 k")
    assert(figures.amount(1.5e9, "B") == "1.5 GB" and figures.amount(45e3, "B") == "45 kB")
end

local function page(record, next_one)
    return json.encode { machines = { record }, next = next_one or json.null }
end

function tests.machines_a_page_at_a_time()
    local record = { id = "a\27]0;x\194\155b", serial = "a", events = { { name = "boot:script", time = 1, from = "boot",
                                                                           what = "boot \7el9" } } }
    local code, out, err, asked = run("machines", {}, { page(record, "a b"), page(record) })
    assert(code == 0 and err == "" and asked[2] == "/run/default.sock machines after=a%20b", asked[2])
    assert(out:find("a\\x1b]0;x\\xc2\\x9bb", 1, true) and out:find("boot \\x07el9", 1, true), out)
    code, out, err = run("machines", {}, { page(record, "a b"), page(record, "a b"), page(record, "a b") })
    assert(code == 1 and out ~= "" and err:find "do not go on behind a b", err)
    record.mac = "52:54:00:00:00:01"
    code, out = run("machine", { "x" }, { json.encode(record) })
    assert(code == 0 and not out:gsub("\n", ""):find "%c", out)
end

return tests

-- `moonboot machines` and `moonboot machine`: what has happened to each.

local control = require "cli.control"
local json = require "json"
local timeline = require "timeline"
local url = require "url"

local HELP = [[
Usage: moonboot machines [-c SITE.YAML] [--json] [--stuck TIME] [MACHINE]
       moonboot machine [-c SITE.YAML] [--json] MACHINE
Shows the machines of which something is known, each with the last event, or all that is recorded
of one machine: a MAC address, a UUID, serial=NUMBER or serial-hex=DIGITS. The last 50 events of a
machine are kept, and the last 24 stages of its boots.

]] .. control.HELP .. [[
      --stuck TIME   those that have not got past a stage of their boot for so long (10m, 90s,
                     2h, 1d): told a kernel that they have not fetched, or gone with it and not
                     heard of since
      --json         as JSON
  -h, --help         print this

Exit codes: 0 shown, 1 nothing is known of that machine, the site remembers nothing, or no service
answers, 2 bad usage.
]]

local PATIENCE = 10 -- seconds

-- What strangers sent moves no cursor: control characters, those of two bytes in UTF-8 too.
local function printable(text)
    return (text:gsub("\194?[%c\128-\159]", function(found)
        if #found == 1 and found:byte() >= 128 then
            return found
        end
        return (found:gsub(".", function(char)
            return ("\\x%02x"):format(char:byte())
        end))
    end))
end

local function name_of(record)
    return record.mac or record.uuid or record.id or "?"
end

local function line_of(event)
    local from = event.from == "operator" and " by an operator" or event.from == "policy" and " by the policy"
                 or event.client and " from " .. event.client or ""
    local again = event.count and (", %d times, last at %s"):format(event.count, host.cli.date(event.last)) or ""
    return printable(("%s  %s%s%s%s"):format(host.cli.date(event.time), event.name,
                                             event.what and " " .. event.what or "", from, again)) .. "\n"
end

local UNITS = { s = 1, m = 60, h = 3600, d = 86400 }

-- "10m" as seconds | nil.
local function seconds_of(text)
    local amount, unit = text:match "^(%d+)([smhd]?)$"
    return amount and tonumber(amount) * UNITS[unit ~= "" and unit or "s"]
end

-- All pages, one after the other: calls each(record) -> true | nil, message.
local function list(values, stuck, each)
    local after
    repeat
        local answer, problem = control.ask(values, ("machines%s%s"):format(
            after and " after=" .. url.encode(after) or "", stuck and (" stuck=%d"):format(stuck) or ""), PATIENCE)
        if not answer then
            return nil, problem
        end
        for _, record in ipairs(answer.machines) do
            each(record)
        end
        local before = after
        after = control.some(answer.next)
        if before and after and timeline.id(after) <= timeline.id(before) then
            return nil, ("the service's pages do not go on behind %s"):format(printable(before))
        end
    until not after
    return true
end

local function show_list(values, stuck)
    local n = 0
    local ok, problem = list(values, stuck, function(record)
        n = n + 1
        if values["--json"] then
            host.cli.write((n == 1 and '{"machines":[' or ",\n") .. json.encode(record))
        else
            host.cli.write(("%-36s  %s"):format(printable(name_of(record)), line_of(record.events[#record.events])))
        end
    end)
    if ok and values["--json"] then
        host.cli.write((n == 0 and '{"machines":[' or "") .. "]}\n")
    end
    return ok, problem
end

local function show_one(values, who)
    local answer, text = control.ask(values, "machine " .. who, PATIENCE)
    if not answer then
        return nil, text
    elseif values["--json"] then
        host.cli.write(text)
        return true
    end
    for _, key in ipairs { "mac", "uuid", "serial", "client" } do
        if answer[key] then
            host.cli.write(("%-7s %s\n"):format(key, printable(answer[key])))
        end
    end
    for _, event in ipairs(answer.events) do
        host.cli.write(line_of(event))
    end
    return true
end

local function run(name, args)
    local single = name == "machine"
    local known = { ["--json"] = "flag", ["--stuck"] = not single and "value" or nil }
    local values, code, operands = control.options(name, HELP, args, known, true)
    local function usage(problem)
        host.cli.warn(("moonboot %s: %s\nTry: moonboot %s --help\n"):format(name, problem, name))
        return 2
    end
    if not values then
        return code
    elseif #operands > 1 or single and #operands == 0 then
        return usage "name one machine"
    end
    local stuck = values["--stuck"] and seconds_of(values["--stuck"])
    if values["--stuck"] and (not stuck or operands[1]) then
        return usage(stuck and "--stuck is about all machines"
                     or ("--stuck: found \"%s\", expected a time, such as 10m"):format(values["--stuck"]))
    end
    local ok, problem
    if operands[1] then
        ok, problem = show_one(values, operands[1])
    else
        ok, problem = show_list(values, stuck)
    end
    if not ok then
        host.cli.warn(("moonboot %s: %s\n"):format(name, problem))
        return 1
    end
    return 0
end

-- The command of that name: "machines", or "machine", which is of one.
return function(name)
    return function(args)
        return run(name, args)
    end
end

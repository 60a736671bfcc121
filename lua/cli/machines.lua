-- `moonboot machines`: what has happened to each machine.

local control = require "cli.control"

local HELP = [[
Usage: moonboot machines [-c SITE.YAML] [--json] [MACHINE]
Shows the machines that events were told of, each with the last one, or all that is recorded of one
machine: a MAC address, a UUID, or serial=NUMBER. The last 50 events of a machine are kept.

]] .. control.HELP .. [[
      --json         as JSON
  -h, --help         print this

Exit codes: 0 shown, 1 nothing is known of that machine, or no service answers, 2 bad usage.
]]

local PATIENCE = 10 -- seconds

local function name_of(record)
    return record.mac or record.uuid or record.serial or "?"
end

local function line_of(event)
    local from = event.from == "operator" and " by an operator" or event.client and " from " .. event.client or ""
    return ("%s  %s%s\n"):format(host.cli.date(event.time), event.name, from)
end

return function(args)
    local values, code, operands = control.options("machines", HELP, args, { ["--json"] = "flag" }, true)
    if not values then
        return code
    elseif #operands > 1 then
        host.cli.warn "moonboot machines: name one machine\nTry: moonboot machines --help\n"
        return 2
    end
    local answer, text = control.ask(values, "machines" .. (operands[1] and " " .. operands[1] or ""), PATIENCE)
    if not answer then
        host.cli.warn("moonboot machines: " .. text .. "\n")
        return 1
    elseif values["--json"] then
        host.cli.write(text)
    elseif operands[1] then
        for _, key in ipairs { "mac", "uuid", "serial" } do
            if answer[key] then
                host.cli.write(("%-7s %s\n"):format(key, answer[key]))
            end
        end
        for _, event in ipairs(answer.events) do
            host.cli.write(line_of(event))
        end
    else
        for _, record in ipairs(answer.machines) do
            host.cli.write(("%-36s  %s"):format(name_of(record), line_of(record.events[#record.events])))
        end
    end
    return 0
end

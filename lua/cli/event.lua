-- `moonboot event`: says on a machine's behalf that something has happened.

local control = require "cli.control"

local HELP = [[
Usage: moonboot event [-c SITE.YAML] NAME MACHINE…
Tells the running service that the event NAME has happened to these machines, each a MAC address, a
UUID, or serial=NUMBER: `moonboot event reinstall 52:54:00:12:34:56`.

]] .. control.HELP .. [[
  -h, --help         print this

Exit codes: 0 taken in, 1 refused for one of them, or no service answers, 2 bad usage.
]]

local PATIENCE = 40 -- seconds

return function(args)
    local values, code, operands = control.options("event", HELP, args, nil, true)
    if not values then
        return code
    elseif #operands < 2 then
        host.cli.warn "moonboot event: name an event and a machine\nTry: moonboot event --help\n"
        return 2
    end
    local failed = false
    for i = 2, #operands do
        local answer, problem = control.ask(values, ("event %s %s"):format(operands[1], operands[i]), PATIENCE)
        if not answer then
            host.cli.warn(("moonboot event: %s: %s\n"):format(operands[i], problem))
            failed = true
        end
    end
    return failed and 1 or 0
end

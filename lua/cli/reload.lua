-- `moonboot reload`: the running service loads its site anew; what came of it.

local control = require "cli.control"

local HELP = [[
Usage: moonboot reload [-c SITE.YAML]
Has the running service load its configuration and policy anew, and waits for what comes of it.
When something is wrong with them the service goes on with what it has, and the problems are
printed. What goes wrong when the policy decides for trial machines is printed as a warning, and so
is what takes effect at a restart.

]] .. control.HELP .. [[
  -q, --quiet        print nothing but what is wrong
  -h, --help         print this

Exit codes: 0 loaded, 1 refused, or no service answers, 2 bad usage.
]]

local PATIENCE = 200 -- seconds; the service itself gives up sooner

return function(args)
    local values, code = control.options("reload", HELP, args, { ["--quiet"] = "flag", ["-q"] = "flag" })
    if not values then
        return code
    end
    local answer, message = control.ask(values, "reload", PATIENCE)
    if not answer then
        host.cli.warn("moonboot reload: " .. message .. "\n")
        return 1
    elseif answer.result == "loaded" then
        for _, warning in ipairs(answer.warnings) do
            host.cli.warn("warning: " .. warning .. "\n")
        end
        if not (values["--quiet"] or values["-q"]) then
            host.cli.write(("generation %d serves\n"):format(answer.generation))
        end
        return 0
    end
    host.cli.warn(table.concat(answer.errors, "\n") .. "\n")
    host.cli.warn(("refused: generation %d goes on serving\n"):format(answer.generation))
    return 1
end

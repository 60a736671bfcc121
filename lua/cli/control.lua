-- Speaking to a running service: what the commands that do so share.

local json = require "json"
local options = require "cli.options"

local control = {}

control.HELP = [[
  -c, --config FILE  the site whose service is meant (site.yaml here, else
                     /etc/moonboot/site.yaml)
      --socket PATH  its control socket, instead of what the site says
]]

local OPTIONS = {
    ["-c"] = "value", ["--config"] = "value", ["--socket"] = "value", ["--help"] = "flag", ["-h"] = "flag",
}

-- Reads a command line. `known`: the command's own options; `more`: whether it has operands.
-- Returns values, nil and the operands, or nil and the exit code when there is nothing more to do.
function control.options(command, help, args, known, more)
    local all = {}
    for _, set in ipairs { OPTIONS, known or {} } do
        for name, kind in pairs(set) do
            all[name] = kind
        end
    end
    local values, operands = options.parse(args, all)
    local problem = not values and operands or not more and operands[1] and ("unexpected \"%s\""):format(operands[1])
    if problem then
        host.cli.warn(("moonboot %s: %s\nTry: moonboot %s --help\n"):format(command, problem, command))
        return nil, 2
    elseif values["--help"] or values["-h"] then
        host.cli.write(help)
        return nil, 0
    end
    return values, nil, operands
end

-- What else there is to say when nobody can be asked.
local HINTS = {
    absent = ": is the service running?",
    denied = ": root, its owner and members of `control_group` may use it",
}

-- Sends one line; the answer is at most `seconds` away. Returns the answer as a table and as
-- text | nil, message.
function control.ask(values, line, seconds)
    local path, wrong = values["--socket"], nil
    if not path then
        path, wrong = host.cli.control_path(values["-c"] or values["--config"])
    end
    if not path then
        return nil, wrong or "this site has no control socket: `control` in site.yaml is `off`"
    end
    local text, message, why = host.cli.ask(path, line, seconds)
    if not text then
        return nil, ("%s: %s%s"):format(path, message, HINTS[why] or "")
    elseif text == "" then
        return nil, path .. ": the service ended without an answer"
    end
    local answer, problem = json.decode(text)
    if type(answer) ~= "table" then
        return nil, ("%s: the answer is no JSON: %s"):format(path, problem or text)
    elseif answer.error then
        return nil, answer.error
    end
    return answer, text
end

-- A value, or nil for JSON's null.
function control.some(value)
    return value ~= json.null and value or nil
end

return control

-- Command lines by GNU's habits: "--name value", "--name=value", "-n value", "-nvalue",
-- "--" before operands that begin with a dash, options and operands in any order.

local options = {}

-- `known`: option -> "flag" or "value", by its name as written ("--json", "-h").
-- `other`, if given, takes options that are not known, each with a value: function(name,
-- value) -> problem. Returns values by name, operands | nil, problem.
function options.parse(args, known, other)
    local values, operands, at = {}, {}, 1

    local function next_value(name)
        at = at + 1
        if args[at] == nil then
            return nil, ("option %s wants a value"):format(name)
        end
        return args[at]
    end

    local function take(name, value)
        local problem
        local kind = known[name] or other and "value"
        if not kind then
            return ("there is no option %s"):format(name)
        elseif kind == "flag" then
            if value then
                return ("option %s takes no value"):format(name)
            end
            values[name] = true
            return nil
        end
        if not value then
            value, problem = next_value(name)
        end
        if problem then
            return problem
        elseif known[name] then
            values[name] = value
            return nil
        end
        return other(name, value)
    end

    while at <= #args do
        local arg, problem = args[at], nil
        if arg == "--" then
            for i = at + 1, #args do
                operands[#operands + 1] = args[i]
            end
            break
        elseif arg:find("^%-%-") then
            local name, value = arg:match("^(%-%-[^=]+)=(.*)$")
            problem = take(name or arg, value)
        elseif arg:find("^%-.") then
            local value = arg:sub(3)
            problem = take(arg:sub(1, 2), value ~= "" and value or nil)
        else
            operands[#operands + 1] = arg
        end
        if problem then
            return nil, problem
        end
        at = at + 1
    end
    return values, operands
end

return options

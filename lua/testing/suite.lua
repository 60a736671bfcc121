-- A test file: its words, and what it declares.
--
-- A suite is { display, directory, dir = handle, tests = list of { name, line, file, body,
-- problem = what is wrong with its table }, policy_file }.

local any = require "testing.any"
local expect = require "testing.expect"
local json = require "json"
local path = require "path"
local problems = require "problems"
local sandbox = require "sandbox"
local secrets = require "secrets"
local steps = require "testing.steps"

local host = host

local suite = {}

-- Where the function that called the caller stands.
local function caller_line()
    local _, line = host.where(3)
    return line or 0
end

-- The words of a test file, which collect what it declares in `into`.
function suite.words(into)
    local env = sandbox.basics()
    env.contains, env.lacks, env.matches = expect.contains, expect.lacks, expect.matches
    env.any = any.words()
    env.json = json.words().json
    for name, word in pairs(steps.words()) do
        env[name] = word
    end

    function env.test(name)
        local case = { name = name, line = caller_line(), file = into.display }
        into.tests[#into.tests + 1] = case
        if type(name) ~= "string" or name == "" then
            case.name = "(a test without a name)"
            case.problem = "a test begins with its name: test \"name\" { … }"
        end
        return function(body)
            if case.body then
                error("a test has one table", 2)
            elseif type(body) ~= "table" then
                case.problem = case.problem or "a test's name is followed by a table"
            end
            case.body = body
        end
    end

    function env.policy(file)
        if type(file) ~= "string" or file == "" then
            error("policy is followed by a file's name", 2)
        elseif into.policy_file then
            error("a test file tests one policy", 2)
        end
        into.policy_file = file
    end

    function env.secrets(values)
        local problem = type(values) ~= "table" and "secrets is followed by a table"
                        or into.secrets and "a test file has one table of secrets" or nil
        for name, value in pairs(problem and {} or values) do
            if type(name) ~= "string" or type(value) ~= "string" then
                problem = 'secrets: expected names of sealed values and texts: { ["root-password"] = "…" }'
            elseif #value < secrets.MIN then
                problem = ("secrets: %s has %d bytes, and no sealed value has less than %d"):format(
                    problems.show(name), #value, secrets.MIN)
            end
        end
        if problem then
            error(problem, 2)
        end
        into.secrets, into.secrets_line = values, caller_line()
    end
    return env
end

-- Unknown words, all of them, before anything runs.
local function unknown_words(text, display, env)
    local names, message = host.names(text, "@" .. display)
    if not names then
        return { message }
    end
    local list = problems.new(display)
    for _, name in ipairs(names) do
        local value = env[name.name]
        if name.set then
            list:add_text(name.line, ("%s is set and is no local"):format(name.name))
        elseif value == nil then
            list:add_text(name.line, ("unknown word %s%s"):format(
                problems.show(name.name), problems.hint(name.name, env)))
        elseif type(value) == "table" and name.field and value[name.field] == nil then
            list:add_text(name.line, ("unknown word %s%s"):format(
                problems.show(name.name .. "." .. name.field), problems.hint(name.field, value)))
        end
    end
    return list:any() and list:strings() or nil
end

-- Words with which policies begin, and test files do not.
local OF_POLICIES = { profile = true, rule = true, require = true, include = true, serve = true, on = true,
                      dhcp = true, inventory = true }

-- What to say of a policy that is taken for a test file; nil for what is none. `name` is the file's, `dir` its
-- directory.
local function policy_problem(name, text, dir)
    local names = not name:find "_test%.lua$" and host.names(text, "@" .. name) or {}
    local found
    for _, use in ipairs(names) do
        if use.name == "test" then
            return nil
        end
        found = found or OF_POLICIES[use.name]
    end
    local tests = name:gsub("%.lua$", "") .. "_test.lua"
    local there = found and host.read(dir, (select(2, path.split(tests))))
    return found and ("%s is a policy; %s in %s"):format(
        name, there and "its tests are" or "there are no tests of it yet, which would be", tests)
end

-- The suite of a test file | nil, list of problems.
function suite.load(name)
    local directory, file = path.split(name)
    local new = { display = name, directory = directory, tests = {} }
    local text
    local dir, message = host.cli.opendir(directory)
    if dir then
        text, message = host.read(dir, file)
    end
    if not text then
        return nil, { ("%s: %s"):format(name, message) }
    end
    local mistaken = policy_problem(name, text, dir)
    if mistaken then
        return nil, { mistaken }
    end
    local env = suite.words(new)
    local unknown = unknown_words(text, name, env)
    if unknown then
        return nil, unknown
    end
    local chunk
    chunk, message = host.load(text, "@" .. name, env)
    if not chunk then
        return nil, { message }
    end
    local ok
    ok, message = host.guard_load(chunk)
    if not ok then
        return nil, { tostring(message) }
    end
    new.dir, new.text = dir, text
    local stem = file:match("^(.+)_test%.lua$")
    new.policy_file = new.policy_file or stem and stem .. ".lua"
    if not new.policy_file then
        return nil, { name .. ": which policy does it test? Name it X_test.lua, or say policy \"X.lua\"" }
    end
    return new
end

return suite

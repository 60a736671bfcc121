-- Who answers in a test what a policy asks of others: `http = { ["GET http://cmdb.lab/hosts/1"] =
-- { json = {…} } }`. Whoever is asked and not there, and whoever is there and never asked, fails
-- the test: nothing goes out to a network.

local glob = require "glob"
local json = require "json"
local problems = require "problems"
local show = require "testing.show"
local url = require "url"

local host = host

local stubs = {}

local Stubs = {}
Stubs.__index = Stubs

local KEYS = { status = "number", body = "string", headers = "table", delay = "number", fail = "string",
               unreachable = "boolean" }

--- What a test may write -------------------------------------------------------------------

local function answer_problem(name, answer)
    if type(answer) == "function" then
        return nil
    elseif type(answer) ~= "table" or show.word_of(answer) then
        return ("`http`: found %s behind %s, expected an answer, such as { status = 404 }"):format(
            problems.show(answer), problems.show(name))
    end
    for key, value in pairs(answer) do
        if key ~= "json" and not KEYS[key] then
            local names = { json = true }
            for each in pairs(KEYS) do
                names[each] = true
            end
            return ("`http`: an answer has no key %s%s"):format(problems.show(key), problems.hint(key, names))
        elseif KEYS[key] and type(value) ~= KEYS[key] then
            return ("`http`: `%s` of %s is %s, and must be a %s"):format(key, problems.show(name), problems.show(value),
                                                                      KEYS[key])
        end
    end
    if answer.json ~= nil and answer.body then
        return ("`http`: %s has `json` or `body`"):format(problems.show(name))
    elseif answer.json ~= nil and not json.encode(answer.json) then
        return ("`http`: `json` of %s: %s"):format(problems.show(name), select(2, json.encode(answer.json)))
    elseif answer.delay and (answer.delay < 0 or answer.delay ~= answer.delay) then
        return ("`http`: `delay` of %s is %s, and must be seconds"):format(problems.show(name),
                                                                        problems.show(answer.delay))
    end
end

-- A list of answers, if it is one.
local function list_of(answer)
    return type(answer) == "table" and answer[1] ~= nil and answer or { answer }
end

-- What is wrong with a test's stubs; nil when nothing is.
function stubs.problem(wanted)
    for name, answer in pairs(wanted or {}) do
        if type(name) ~= "string" or not name:find "^%u+ https?://." then
            return ("`http` has the key %s, and must have such as \"GET http://cmdb.lab/hosts/1\""):format(
                problems.show(name))
        end
        for _, each in ipairs(list_of(answer)) do
            local problem = answer_problem(name, each)
            if problem then
                return problem
            end
        end
    end
end

--- Finding them ----------------------------------------------------------------------------

-- `used`: set of the names that were asked for, of all worlds of a test.
function stubs.new(wanted, used)
    local self = setmetatable({
        wanted = wanted or {}, used = used or {}, wrong = {}, patterns = {}, plain = {}, at = {},
    }, Stubs)
    for name in pairs(self.wanted) do
        if name:find("*", 1, true) then
            table.insert(self.patterns, { name = name, test = glob.compile(url.decode(name)) })
        else
            self.plain[url.decode(name)] = name
        end
    end
    table.sort(self.patterns, function(a, b)
        if #a.name ~= #b.name then
            return #a.name > #b.name
        end
        return a.name < b.name
    end)
    return self
end

-- The stub of a request: by its name, or the longest pattern that fits. "%3A" is ":".
function Stubs:find(request)
    local decoded = url.decode(request)
    if self.wanted[request] ~= nil or self.plain[decoded] then
        return self.wanted[request] ~= nil and request or self.plain[decoded]
    end
    for _, pattern in ipairs(self.patterns) do
        if pattern.test(decoded) then
            return pattern.name
        end
    end
end

local function copy(positions)
    local at = {}
    for name, position in pairs(positions) do
        at[name] = position
    end
    return at
end

-- Which answers of lists come next, to go back to.
function Stubs:positions()
    return copy(self.at)
end

function Stubs:go_back(at)
    self.at = copy(at)
end

local function complain(self, key, expected, found)
    table.insert(self.wrong, { key = key, expected = expected, found = found })
    return { fail = "nobody answers in this test" }
end

-- The names that there are, for who asks another.
local function known(wanted)
    local names = {}
    for name in pairs(wanted) do
        names[#names + 1] = name
    end
    table.sort(names)
    return #names == 0 and "the test has no `http`" or "`http` has " .. table.concat(names, ", ")
end

-- The answer to a request { method, url, headers, body } as the test has it. Of a list the next,
-- and the last one stays.
function Stubs:answer(request)
    local text = request.method .. " " .. request.url
    local name = self:find(text)
    if not name then
        return complain(self, "http", "no such request: " .. known(self.wanted), text)
    end
    self.used[name] = true
    local list = list_of(self.wanted[name])
    self.at[name] = math.min((self.at[name] or 0) + 1, #list)
    local answer = list[self.at[name]]
    if type(answer) ~= "function" then
        return answer
    end
    local ok, made = host.guard(answer, request)
    local problem = not ok and tostring(made) or type(made) == "function" and "a function"
                    or answer_problem(name, made)
    if problem then
        return complain(self, "http", "an answer of the function of " .. name, problem)
    end
    return made
end

-- Something else is waited for, and the test has no answer.
function Stubs:nobody(key, expected, what)
    complain(self, key, expected, problems.show(what))
end

-- What was asked in vain, as differences.
function Stubs:complaints()
    return self.wrong
end

-- Stubs that nobody asked in any world of the test, as differences.
function stubs.unused(wanted, used)
    local found = {}
    for name in pairs(wanted or {}) do
        if not used[name] then
            found[#found + 1] = { key = "http", expected = name .. " to be asked", found = "it was not" }
        end
    end
    table.sort(found, function(a, b)
        return a.expected < b.expected
    end)
    return found
end

return stubs

-- Tests of what is served: `get = "/path?query"` and what is expected of the answer.

local expect = require "testing.expect"
local problems = require "problems"
local simulate = require "simulate"

local page = {}

-- In the order in which they are reported.
local order = { "status", "type", "body", "asset", "error" }

local types = { status = "number", type = "text", body = "text", asset = "text", error = "text" }

-- Why a test's table is none, or nil.
function page.problem(body)
    local wanted = body.expect
    if body.given then
        return "a test has `given` or `get`: the query tells who asks"
    elseif type(body.get) == "function" and not body.for_all then
        return "`get` is a function of what `for_all` makes, and there is none"
    elseif type(body.get) == "string" and body.get:sub(1, 1) ~= "/" then
        return ("`get` is %s, and must be a path, such as \"/metadata?mac=…\""):format(problems.show(body.get))
    elseif type(wanted) == "table" then
        return page.expect_problem(wanted)
    end
end

function page.expect_problem(wanted)
    return expect.problem(wanted, types, " of a page")
end

-- Asks for that path -> differences, the answer.
function page.ask(policy, target)
    local answer = simulate.get(policy, target)
    return answer, answer.error
end

function page.compare(wanted, answer)
    local differences = {}
    for _, key in ipairs(order) do
        if wanted[key] ~= nil then
            differences[#differences + 1] = expect.difference(key, wanted[key], answer[key])
        end
    end
    return differences
end

return page

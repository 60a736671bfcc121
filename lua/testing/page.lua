-- Tests of what is served: `get = "/path?query"` and what is expected of the answer.

local expect = require "testing.expect"
local problems = require "problems"
local simulate = require "simulate"

local page = {}

-- In the order in which they are reported.
local order = { "status", "type", "body", "asset", "error" }

local types = { status = "number", type = "string", body = "string", asset = "string", error = "string" }

-- Why a test's table is none, or nil.
function page.problem(body)
    if body.given then
        return "a test has `given` or `get`: the query tells who asks"
    elseif body.get:sub(1, 1) ~= "/" then
        return ("`get` is %s, and must be a path, such as \"/metadata?mac=…\""):format(problems.show(body.get))
    elseif expect.is_contains(body.expect) or next(body.expect) == nil then
        return "`expect` must be a table, such as { status = 200 }"
    end
    for key, value in pairs(body.expect) do
        if not types[key] then
            return ("`expect` of a page has no key %s%s"):format(problems.show(key), problems.hint(key, types))
        elseif value ~= false and type(value) ~= types[key] and (key == "status" or not expect.is_contains(value)) then
            return ("`expect.%s` is %s, and must be a %s"):format(
                key, problems.show(value), key == "status" and "number" or "text, contains … or false")
        end
    end
end

-- Asks, and adds to the result.
function page.run(policy, body, result)
    local answer = simulate.get(policy, body.get)
    local differences = {}
    for _, key in ipairs(order) do
        if body.expect[key] ~= nil then
            differences[#differences + 1] = expect.difference(key, body.expect[key], answer[key])
        end
    end
    result.status = #differences == 0 and "pass" or "fail"
    result.differences, result.decision_error = differences, answer.error
end

return page

-- Tests of what is served: `get = "/path?query"` and what is expected of the answer.

local expect = require "testing.expect"
local problems = require "problems"
local simulate = require "simulate"

local page = {}

-- In the order in which they are reported.
local order = { "status", "type", "body", "asset", "state", "took", "error" }

local types = { status = "number", type = "text", body = "text", asset = "text", state = "table", took = "number",
                error = "text" }

-- Why a test's table is none, or nil.
function page.problem(body)
    local wanted, path = body.expect, body.get or body.post
    if body.given then
        return "a test has `given` or `get`: the query tells who asks"
    elseif type(body.get) == "function" and not body.for_all then
        return "`get` is a function of what `for_all` makes, and there is none"
    elseif body.get and body.post then
        return "a test has `get` or `post`"
    elseif body.body and not body.post then
        return "`body` is what is sent by `post`, and there is none"
    elseif type(path) == "string" and path:sub(1, 1) ~= "/" then
        return ("`%s` is %s, and must be a path, such as \"/metadata?mac=…\""):format(
            body.get and "get" or "post", problems.show(path))
    elseif type(wanted) == "table" then
        return page.expect_problem(wanted)
    end
end

function page.expect_problem(wanted)
    return expect.problem(wanted, types, " of a page")
end

-- Asks for that path, or posts `text` to it -> the answer, in its world.
function page.ask(policy, world, target, text)
    local answer = world:run(false, simulate.get, policy, target, text)
    answer.took = world.elapsed
    answer.state = setmetatable({}, { __metatable = "state", __index = function(_, key)
        return world:remembers(key)
    end })
    return answer
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

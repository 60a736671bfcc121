-- Does one rule mean every machine that another means? Yes is certain; no means that it is not,
-- or that it cannot be seen. Matchers are as match.lua makes them.

local matchers = require "matchers"

local host = host

local covers = {}

local implies

-- Bounds of what the matcher accepts, and the scale that they are on; nil for most kinds.
local function bounds(matcher)
    if matcher.kind == "subnet" then
        return matcher.first, matcher.last, host.ip
    elseif matcher.kind == "range" then
        return matcher.first, matcher.last, matcher.scale
    end
end

-- Of a field with several values, `except` looks at all of them and the others at any.
local function is_except(matcher)
    for _, part in ipairs(matcher.any or {}) do
        if is_except(part) then
            return true
        end
    end
    return matcher.inner ~= nil
end

-- Does it certainly accept this value, or on a field of several values any that have it?
local function accepts(matcher, value, several)
    for _, part in ipairs(matcher.any or {}) do
        if accepts(part, value, several) then
            return true
        end
    end
    if matcher.any or matcher.calls or several and is_except(matcher) then
        return false
    end
    return matcher.test(several and { [value] = true } or value) == true
end

-- All of a list, or the one that is none.
local function parts_of(matcher)
    return matcher.any or { matcher }
end

-- Is there certainly no value that both accept? Of fields with one value.
local function disjoint(a, b)
    for _, pair in ipairs { { a, b }, { b, a } } do
        local one, other = pair[1], pair[2]
        if one.any then
            for _, part in ipairs(one.any) do
                if not disjoint(part, other) then
                    return false
                end
            end
            return true
        elseif one.kind == "absent" or one.inner and implies(other, one.inner) then
            return true
        elseif one.kind == "plain" and not other.calls and not other.any then
            for value in pairs(one.keys.plain) do
                if other.test(value) then
                    return false
                end
            end
            return true
        end
    end
    if a.kind == "prefix" and b.kind == "prefix" then
        local length = math.min(#a.text, #b.text)
        return a.text:sub(1, length) ~= b.text:sub(1, length)
    end
    local a_first, a_last, a_scale = bounds(a)
    local b_first, b_last, b_scale = bounds(b)
    return a_scale ~= nil and a_scale == b_scale and (a_last < b_first or b_last < a_first)
end

-- Do all the keys by which it is found begin so? It accepts nothing that has none of them.
local function begins_with(matcher, text)
    for kind, texts in pairs(matcher.keys or { none = {} }) do
        if kind ~= "plain" and kind ~= "prefix" then
            return false
        end
        for key in pairs(texts) do
            if type(key) ~= "string" or key:sub(1, #text) ~= text then
                return false
            end
        end
    end
    return true
end

-- One that is no list, and no plain values, and another that is no list.
local function single(a, b)
    if b.kind == "prefix" then
        return begins_with(a, b.text)
    elseif b.kind == "suffix" then
        return a.kind == "suffix" and a.text:sub(-#b.text) == b.text
    elseif b.kind == "glob" or b.kind == "pattern" then
        return a.kind == b.kind and a.text == b.text
    elseif b.kind == "inventory" then
        return a.kind == "inventory" and a.of == b.of
    end
    local a_first, a_last, a_scale = bounds(a)
    local b_first, b_last, b_scale = bounds(b)
    return a_scale ~= nil and a_scale == b_scale and b_first <= a_first and a_last <= b_last
end

-- Does `b` certainly accept every value that `a` accepts? What a machine without one gets is
-- another matter.
function implies(a, b, several)
    if a.kind == "absent" or b.kind == "present" then
        return true
    elseif a.any then
        for _, part in ipairs(a.any) do
            if not implies(part, b, several) then
                return false
            end
        end
        return true
    elseif a.kind == "plain" then
        for value in pairs(a.keys.plain) do
            if not accepts(b, value, several) then
                return false
            end
        end
        return true
    end
    for _, part in ipairs(parts_of(b)) do
        if part.inner and not several and not part.calls and disjoint(a, part.inner) then
            return true
        elseif part ~= b and implies(a, part, several) or not part.inner and single(a, part) then
            return true
        end
    end
    return false
end

local ANY = matchers.words.present()

-- Does `p`, a predicate of one rule, hold wherever `q` of another rule does (nil: it has none on
-- that field)?
local function holds(p, q)
    local matcher, several = p.matcher, p.field.type == "set"
    if not q then
        return matcher.absent and implies(ANY, matcher, several)
    end
    return (matcher.absent or not q.matcher.absent) and implies(q.matcher, matcher, several)
end

-- Does a rule with these predicates mean all that one with `others` (by their fields) means?
function covers.all(predicates, others)
    for _, p in ipairs(predicates) do
        if not holds(p, others[p.name]) then
            return false
        end
    end
    return true
end

return covers

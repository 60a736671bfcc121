-- Rules that never decide: earlier ones take every machine that they mean. What is reported is
-- certain. Candidates come from the policy's own index, so that this costs little more than
-- loading the policy.

local covers = require "lint.covers"
local problems = require "problems"

local unreachable = {}

-- Comparisons in all; policies of functions alone would take their square.
local MOST_COMPARISONS = 5e6
local MOST_PARTS = 64 -- of a list, that are looked for one by one

local CERTAIN = { boot = true, disk = true, ignore = true, shell = true, deny = true, chain = true,
                  menu = true }

-- Does this plan decide for every machine?
local function decides(plan)
    if not plan or plan.inventory then
        return false
    elseif plan.sides then
        return decides(plan.sides.use) and decides(plan.sides.otherwise)
    end
    return CERTAIN[plan.verdict] or false
end

-- A machine that has what the index looks for when it looks for these predicates: a rule that
-- covers them is among its candidates.
local function witness(predicates)
    local m = { stage = "ipxe" }
    for name, p in pairs(predicates) do
        for kind, texts in pairs(p.matcher.keys or {}) do
            local text = next(texts)
            if text ~= nil then
                m[name] = kind == "subnet" and text:match "^[^/]*" or text
            end
        end
    end
    return m
end

local Search = {}
Search.__index = Search

-- The number of the first rule before number `n` that covers these predicates | nil.
function Search:covering(n, predicates)
    for i in self.index:candidates(witness(predicates)) do
        if i >= n or self.left <= 0 then
            return nil
        end
        if self.decides[i] then
            self.left = self.left - 1
            if covers.all(self.rules[i].predicates, predicates) then
                return i
            end
        end
    end
end

-- A predicate as several, which mean together what it means; nil when it is but one.
local function split(p)
    local parts = {}
    for _, part in ipairs(p.matcher.any or { p.matcher }) do
        for value in pairs(part.kind == "plain" and part.keys.plain or {}) do
            local set = { [value] = true }
            parts[#parts + 1] = {
                kind = "plain", keys = { plain = set }, absent = false,
                test = function(found)
                    return found == value
                end,
            }
            if #parts > MOST_PARTS then
                return nil
            end
        end
        if part.kind ~= "plain" then
            parts[#parts + 1] = part
        end
    end
    return #parts > 1 and #parts <= MOST_PARTS and parts or nil
end

-- The numbers of rules before number `n` that cover these predicates together, each a part of one
-- list; nil when there are none.
function Search:together(n, predicates)
    for name, p in pairs(predicates) do
        local found, seen = {}, {}
        for _, part in ipairs(split(p) or {}) do
            local narrowed = {}
            for other, predicate in pairs(predicates) do
                narrowed[other] = predicate
            end
            narrowed[name] = { name = name, field = p.field, matcher = part }
            local i = self:covering(n, narrowed)
            if not i then
                found = {}
                break
            elseif not seen[i] then
                seen[i] = true
                found[#found + 1] = i
            end
        end
        if #found > 0 then
            table.sort(found)
            return found
        end
    end
end

local function by_field(rule)
    local predicates = {}
    for _, p in ipairs(rule.predicates) do
        predicates[p.name] = p
    end
    return predicates
end

-- What takes a rule's machines, for a message about the rule.
local function taken_by(rules, numbers, about)
    local texts = {}
    for i = 1, math.min(#numbers, 3) do
        local rule = rules[numbers[i]]
        local place = rule.display == about.display and "line " .. rule.line or rule.display .. ":" .. rule.line
        texts[i] = ("rule %s (%s)"):format(problems.show(rule.name), place)
    end
    if #numbers > 3 then
        texts[#texts + 1] = ("%d more"):format(#numbers - 3)
    end
    return ("%s %s every machine that it means"):format(table.concat(texts, ", "), #numbers == 1 and "takes" or "take")
end

-- A rule with an empty list means nobody yet: lists are read from data, and may begin so.
local function means_nobody(rule)
    for _, p in ipairs(rule.predicates) do
        if p.matcher.kind == "plain" and next(p.matcher.keys.plain) == nil then
            return true
        end
    end
    return false
end

-- Calls warn(rule, text) for each such rule of the policy.
function unreachable.find(policy, warn)
    local search = setmetatable({ rules = policy.rules, index = policy.index, decides = {},
                                  left = MOST_COMPARISONS }, Search)
    local all -- the number of the first rule that takes everything
    for n, rule in ipairs(policy.rules) do
        search.decides[n] = not rule.call and not rule.matches and decides(rule.plan)
        local found = all and { all }
        if means_nobody(rule) then
            found = nil
        elseif not found then
            local predicates = by_field(rule)
            found = { search:covering(n, predicates) }
            found = found[1] and found or search:together(n, predicates)
        end
        if found then
            warn(rule, "rule %s never decides: %s", problems.show(rule.name), taken_by(policy.rules, found, rule))
        end
        if not all and search.decides[n] and covers.all(rule.predicates, {}) then
            all = n
        end
    end
end

return unreachable

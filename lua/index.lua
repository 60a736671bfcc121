-- The index of a policy's rules: which of them may mean a machine, in the order of the file.
-- core/index.h has how it works; here is what it is told of each rule.
--
-- Matchers that can be looked up have `keys`, by kind sets of texts: { plain = { A = true },
-- prefix = { ["52:54"] = true } }. What such a matcher accepts has one of these properties;
-- a matcher need not accept all that has.

local host = host

local index = {}

-- The stages at which fields can be unknown, as index.h has them.
local bits = { dhcp = 1, tftp = 2 }

local function late_bits(field)
    local sum = 0
    for stage, bit in pairs(bits) do
        sum = sum + (field.late[stage] and bit or 0)
    end
    return sum
end

local Index = {}
Index.__index = Index

local function add_predicate(of, rule, number, p)
    local field = of.fields[p.name]
    if not field then
        field = of.index:field(p.name, late_bits(p.field))
        of.fields[p.name] = field
    end
    for kind, texts in pairs(p.matcher.keys) do
        for text in pairs(texts) do
            of.index:add(rule, number, field, kind, text)
        end
    end
end

-- The index of a list of rules (rules.lua).
function index.new(rules)
    local of = setmetatable({ index = host.index(), fields = {} }, Index)
    for i, rule in ipairs(rules) do
        for number, p in ipairs(rule.predicates) do
            if p.matcher.keys then
                add_predicate(of, i, number, p)
            end
        end
    end
    of.index:freeze(#rules)
    return of
end

-- The first of candidates(m), or nil; and whether there are more.
function Index:first(m)
    return self.index:first(m, bits[m.stage] or 0)
end

-- An iterator over the numbers of the rules that may match, ascending. All that match, or
-- would if more were known of the machine, are among them.
function Index:candidates(m)
    return self.index:candidates(m, bits[m.stage] or 0)
end

return index

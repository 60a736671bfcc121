-- Numbers for property tests: the same on every machine for the same seed, and a record of what
-- was drawn, which is what shrinks (property.lua).

local random = {}

local tobit, bxor, lshift, rshift = bit.tobit, bit.bxor, bit.lshift, bit.rshift

-- FNV-1a: a seed and a text as one seed, so that no test depends on which others run.
function random.mix(seed, text)
    local hash = bxor(tobit(0x811c9dc5), tobit(seed))
    for i = 1, #text do
        hash = bxor(hash, text:byte(i))
        -- times 16777619, without leaving 32 bits
        hash = tobit(hash + lshift(hash, 1) + lshift(hash, 4) + lshift(hash, 7) + lshift(hash, 8) + lshift(hash, 24))
    end
    return hash
end

-- Marsaglia's xorshift32: function() -> 0 to 2^32-1.
function random.new(seed)
    local state = seed == 0 and 0x9e3779b9 or tobit(seed)
    local function step()
        state = bxor(state, lshift(state, 13))
        state = bxor(state, rshift(state, 17))
        state = bxor(state, lshift(state, 5))
        return state % 2 ^ 32
    end
    for _ = 1, 8 do -- neighbouring seeds part
        step()
    end
    return step
end

-- draw(n) -> 0 to n-1, from `next`; what it gave is added to `record`.
function random.recording(next, record)
    return function(n)
        local value = next() % n
        record[#record + 1] = value
        return value
    end
end

-- draw(n) as recorded; 0, the simplest there is, where the record ends or has too much.
function random.replaying(record)
    local at = 0
    return function(n)
        at = at + 1
        local value = record[at] or 0
        return value < n and value or 0
    end
end

return random

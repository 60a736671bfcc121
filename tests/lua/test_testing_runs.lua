-- How `moonboot test` is run: its figures, and when it runs again. tests/e2e/testing.sh does so.

local bench = require "testing.bench"
local cli = require "fake_cli"
local watch = require "testing.watch"

local tests = {}

function tests.figures_are_the_median_and_its_deviation()
    local ns, spread, least = bench.statistics { 100, 102, 98, 100, 5000 } -- one that was disturbed
    assert(ns == 100 and least == 98 and math.abs(spread - 2.9652) < 1e-9, spread)
    ns, spread, least = bench.statistics { 4, 2 }
    assert(ns == 3 and least == 2 and math.abs(spread - 148.26 / 3) < 1e-9)
    assert(bench.line { what = "decide", ns = 1234, spread = 2.4, least = 1200, allocations = 9, bytes = 1024 }
           == "decide         1234 ns ± 2 %, at best 1200 ns; 9 allocations, 1.0 KB")
    assert(bench.line { what = "ipxe", ns = 123456, spread = 0, least = 12345678, allocations = 9, bytes = 0 }
           == "ipxe         123.5 µs ± 0 %, at best 12.3 ms; 9 allocations, 0.0 KB")
end

function tests.changes_that_matter()
    local read = { ["a/policy.lua"] = true, ["a/hosts/"] = true, ["b.lua"] = true }
    for change, matters in pairs {
        ["a/policy.lua"] = true, ["a/.policy.lua.swp"] = false, ["a/4913"] = false, ["./b.lua"] = true, ["a/hosts/new"] = true,
        ["a/hosts"] = true, ["x/new_test.lua"] = true, ["a/new.lua"] = false, ["c.lua"] = false,
    } do
        assert((watch.relevant({ "other", change }, read) ~= nil) == matters, change)
    end
end

function tests.measuring_is_for_one_process()
    for _, args in ipairs { { "--bench", "-j", "2" }, { "--bench", "--coverage" }, { "--bench", "--fail-under", "5" } } do
        local code, _, err = cli.run("test", args, {})
        assert(code == 2 and err:find("--bench measures alone", 1, true), err)
    end
    for _, args in ipairs { { "--fail-under", "101" }, { "--fail-under", "x" }, { "--html" } } do
        local code, _, err = cli.run("test", args, {})
        assert(code == 2 and err:find "Try: moonboot test", err)
    end
end

return tests

local query = require "query"
local url = require "url"

local tests = {}

function tests.query_strings()
    local q = query.parse("a=1&b=%20x%2b+y&a=2&empty=&=x&&c=d=e")
    assert(q.a == "1" and q.b == " x++y" and q.c == "d=e" and q.empty == nil)
    assert(next(query.parse(nil)) == nil and next(query.parse("")) == nil)
    assert(query.parse("x=%zz%4").x == "%zz%4")
    assert(query.parse("x=%00").x == "\0")
end

-- Debian's iPXE sends serial=A&B%20%231 for the serial number "A&B #1".
function tests.an_ampersand_that_lost_its_encoding()
    local q = query.parse("serial=A&B%20%231&product=P")
    assert(q.serial == "A&B #1" and q.product == "P")
    assert(next(query.parse("flag")) == nil)
    assert(query.parse("a=1&a=2&x").a == "1")
end

function tests.encoding()
    assert(url.encode("a b/c&d") == "a%20b%2Fc%26d")
    assert(url.encode_path("a b/c#d") == "a%20b/c%23d")
    for byte = 0, 255 do
        local c = string.char(byte)
        assert(url.decode(url.encode(c)) == c)
    end
end

function tests.resolving()
    local base = "http://h:1"
    assert(url.resolve(base, "el9/vmlinuz") == "http://h:1/assets/el9/vmlinuz")
    assert(url.resolve(base, "/ipxe?a=b") == "http://h:1/ipxe?a=b")
    assert(url.resolve(base, "https://x/y z?q=1&r#f") == "https://x/y%20z?q=1&r#f")
    assert(url.resolve(base, "tftp://x/${net0/mac}") == "tftp://x/$%7Bnet0/mac%7D")
    assert(not url.is_absolute("a/b:c") and url.is_absolute("nfs://x"))
end

return tests

-- Tables that policies write and get, by name: `fields` are { name, type, what it is }, an optional
-- one with a "?" behind its name.
local tables = {
    Profile = {
        doc = "What a machine boots.",
        fields = {
            { "kernel?", "string", "a file under `/assets/`, or a URL. May be missing when `dhcp.file` or `dhcp.menu` says what to boot" },
            { "initrd?", "string|string[]", "the same, one or a list" },
            { "args?", "string[]", "list of kernel arguments" },
            { "vars?", "table<string, any>", "names and values for `{{…}}`" },
            { "config?", "table<string, string|Template|Document>", "documents by name, served to that machine at `/config/`" },
            { "dhcp?", "Dhcp", "overrides of the DHCP answer" },
            { "verify?", "boolean", "true: iPXE verifies kernel and initrds by their CMS signatures, `URL.cms`, or does not boot them" },
            { "files?", "table<string, string|false>", "names this machine may ask TFTP for, and the files under the root that they stand for (false: denied)" },
        },
    },
    Rule = {
        doc = "Who boots what.",
        fields = {
            { "match?", "Match|(fun(machine: Machine): boolean?, string?)", "fields and matchers, or a function of the machine" },
            { "boot", "Choice|(fun(machine: Machine): Choice?, string?)", "required: what it boots, or a function of the machine" },
            { "args?", "string[]", "after the profile's" },
            { "vars?", "table<string, any>", "over the profile's" },
            { "config?", "table<string, string|Template|Document>", "over the profile's" },
            { "dhcp?", "Dhcp", "over the profile's" },
            { "files?", "table<string, string|false>", "over the profile's" },
            { "on_error?", "Choice", "what to boot when this rule fails; anything `boot` takes but a function. The rule's own `args` and `vars` are left out: they may be what failed" },
        },
    },
    Use = {
        doc = "A choice with something added.",
        fields = {
            { "use", "string|Verdict", "a profile's name, or a verdict" },
            { "args?", "string[]", "after the rule's" },
            { "vars?", "table<string, any>", "over the rule's" },
        },
    },
    Document = {
        doc = "A document and its media type: { template \"file\", type = \"text/xml\" }.",
        fields = {
            { "[1]", "string|Template", "the document" },
            { "type?", "string", "its media type; otherwise by the name: JSON for .json and .ign, or plain text" },
            { "once?", "boolean", "true: each of its URLs is good once" },
        },
    },
    Dhcp = {
        doc = "Overrides of the DHCP answer.",
        fields = {
            { "file?", "string", "the boot file's name, or a URL" },
            { "loader?", "Loader", "the boot program, by name, for whatever architecture asks" },
            { "server?", "string", "the IPv4 address of the server that has it" },
            { "vendor_class?", "string|false", "option 60 (false: none)" },
            { "options?", "table<integer, string>", "bytes by option number" },
            { "ipxe?", "boolean", "true: clients that are iPXE already get these overrides too" },
            { "menu?", "PxeMenu", "a menu of the firmware's own" },
        },
    },
    PxeMenu = {
        doc = "A menu of PXE firmware: its items, and how it is shown.",
        fields = {
            { "prompt?", "string", "what stands below it" },
            { "timeout?", "integer", "seconds until the first item is taken: 0 at once, 255 never" },
            { "[integer]", "PxeItem", "an item" },
        },
    },
    PxeItem = {
        doc = "An item of such a menu: of what is neither file nor type the local disk starts.",
        fields = {
            { "[1]", "string", "its text" },
            { "file?", "string", "what it boots from here; `.0` is added to a name without a dot" },
            { "server?", "string", "the IPv4 address of the server that has the file, or of the boot server" },
            { "type?", "integer", "of another boot server's items: what they are known by" },
        },
    },
    Site = {
        doc = "How DHCP is answered, for the whole site.",
        fields = {
            { "programs?", "table<Arch, string>", "the program that brings iPXE, by architecture" },
            { "vendors?", "string[]", "vendor classes that are answered too, besides PXEClient and HTTPClient" },
        },
    },
    Menu = {
        doc = "What a person may choose from.",
        fields = {
            { "title?", "string", "above the entries" },
            { "timeout?", "number", "seconds until the default is taken; without it the menu waits" },
            { "default?", "integer|string", "the number or label of an entry: the first, if none is named" },
            { "[integer]", "{ [1]: string, [2]: Choice }", "an entry: its label and what it boots, anything but a function or a menu" },
        },
    },
    Rollout = {
        doc = "A part of the machines, always the same ones, and with a larger percentage these and more.",
        fields = {
            { "percent", "number", "how many, 0 to 100; hundredths count" },
            { "use", "Choice", "what these boot" },
            { "otherwise", "Choice", "what the others boot, and those without the field" },
            { "by?", "string", "the field that a machine is told by; `mac` if none is named" },
            { "salt?", "string", "rollouts of one salt take the same machines; the rule's name if there is none" },
        },
    },
    Once = {
        doc = "What is done once, until an event says that it is done.",
        fields = {
            { "[1]", "Choice", "what is booted until then" },
            { "done_on", "string", "the event that says so" },
            { "then_boot?", "Choice", "what is booted from then on; `disk` if nothing is said" },
            { "again_on?", "string", "the event after which it is to be done again; `reinstall` if nothing is said" },
            { "by?", "string", "the field that a machine is known by; `mac` if none is named" },
        },
    },
    HttpClient = {
        doc = "Another server, and how it is asked.",
        fields = {
            { "base?", "string", "what the URLs begin with" },
            { "timeout?", "number", "seconds for an answer; 5 if nothing is said" },
            { "headers?", "table<string, string>", "fields of each request" },
            { "cache?", "HttpCache", "how long answers are kept" },
            { "redirects?", "integer", "how many are followed; 5 if nothing is said" },
            { "max_kb?", "integer", "the size of an answer; 1024 if nothing is said" },
            { "proxy?", "string", "a proxy's URL" },
            { "unix?", "string", "the path of a socket, instead of the server's address" },
            { "ca?", "string", "certificates to trust, in PEM; those of the system if nothing is said" },
            { "cert?", "string", "our certificate, in PEM" },
            { "key?", "string", "its key, in PEM" },
            { "verify?", "boolean", "false: takes any certificate" },
        },
    },
    HttpCache = {
        doc = "How long answers to GET are kept, and shared by all machines.",
        fields = {
            { "ttl", "number", "seconds until the server is asked again" },
            { "stale_if_error?", "number", "seconds more, when the server fails or is slow" },
            { "key?", "fun(url: string): string", "what has the same key has the same answer; the URL if nothing is said" },
        },
    },
    Event = {
        doc = "Something that has happened to a machine.",
        fields = {
            { "name", "string", "what has happened" },
            { "time", "number", "when: seconds since 1970" },
            { "params", "table<string, string>", "what the query of the request says besides, decoded; what `emit` was given; of a stage `what`" },
            { "body?", "string", "what was sent" },
            { "client?", "string", "the address that it came from" },
        },
    },
    InventoryFile = {
        doc = "A file of hosts, and the field that they are keyed by.",
        fields = {
            { "file", "string", "YAML, JSON or CSV, by its suffix" },
            { "key?", "string", "a field of machines; what the file says if none is named" },
        },
    },
    Request = {
        doc = "What a function of `serve` is asked.",
        fields = {
            { "method", "string", "GET, HEAD or POST" },
            { "path", "string", "decoded" },
            { "params", "table<string, string>", "the values of the path's names" },
            { "query", "table<string, string>", "the query, decoded; the first of a repeated name" },
            { "raw_query", "string", "the query as it was sent" },
            { "host?", "string", "the Host field" },
            { "user_agent?", "string", "the User-Agent field" },
            { "body?", "string", "what was sent" },
            { "client?", "string", "the client's address" },
            { "base", "string", "what absolute URLs of this server begin with" },
            { "machine", "Machine", "the machine that the query tells of, as at `/ipxe`; what is malformed there is absent" },
        },
    },
    Response = {
        doc = "What a function of `serve` may answer, besides a text.",
        fields = {
            { "body?", "string", "the text" },
            { "status?", "integer", "200 to 599" },
            { "type?", "string", "media type, plain text if there is none" },
            { "asset?", "string", "instead of body and status: a file under `/assets/`" },
        },
    },
}

return tables

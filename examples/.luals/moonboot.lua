---@meta moonboot

-- The policy language, for editors that speak LuaLS. Written by `moonboot stubs`.

---What a machine boots.
---@class moonboot.Profile
---@field kernel? string a file under `/assets/`, or a URL. May be missing when `dhcp.file` or `dhcp.menu` says what to boot
---@field initrd? string|string[] the same, one or a list
---@field args? string[] list of kernel arguments
---@field vars? table<string, any> names and values for `{{…}}`
---@field config? table<string, string|moonboot.Template|moonboot.Document> documents by name, served to that machine at `/config/`
---@field dhcp? moonboot.Dhcp overrides of the DHCP answer
---@field verify? boolean true: iPXE verifies kernel and initrds by their CMS signatures, `URL.cms`, or does not boot them
---@field files? table<string, string|false> names this machine may ask TFTP for, and the files under the root that they stand for (false: denied)

---Who boots what.
---@class moonboot.Rule
---@field match? moonboot.Match|(fun(machine: moonboot.Machine): boolean?, string?) fields and matchers, or a function of the machine
---@field boot moonboot.Choice|(fun(machine: moonboot.Machine): moonboot.Choice?, string?) required: what it boots, or a function of the machine
---@field args? string[] after the profile's
---@field vars? table<string, any> over the profile's
---@field config? table<string, string|moonboot.Template|moonboot.Document> over the profile's
---@field dhcp? moonboot.Dhcp over the profile's
---@field files? table<string, string|false> over the profile's
---@field on_error? moonboot.Choice what to boot when this rule fails; anything `boot` takes but a function. The rule's own `args` and `vars` are left out: they may be what failed

---A choice with something added.
---@class moonboot.Use
---@field use string|moonboot.Verdict a profile's name, or a verdict
---@field args? string[] after the rule's
---@field vars? table<string, any> over the rule's

---A document and its media type: { template "file", type = "text/xml" }.
---@class moonboot.Document
---@field [1] string|moonboot.Template the document
---@field type? string its media type; otherwise by the name: JSON for .json and .ign, or plain text
---@field once? boolean true: each of its URLs is good once

---Overrides of the DHCP answer.
---@class moonboot.Dhcp
---@field file? string the boot file's name, or a URL
---@field loader? moonboot.Loader the boot program, by name, for whatever architecture asks
---@field server? string the IPv4 address of the server that has it
---@field vendor_class? string|false option 60 (false: none)
---@field options? table<integer, string> bytes by option number
---@field ipxe? boolean true: clients that are iPXE already get these overrides too
---@field menu? moonboot.PxeMenu a menu of the firmware's own

---A menu of PXE firmware: its items, and how it is shown.
---@class moonboot.PxeMenu
---@field prompt? string what stands below it
---@field timeout? integer seconds until the first item is taken: 0 at once, 255 never
---@field [integer] moonboot.PxeItem an item

---An item of such a menu: of what is neither file nor type the local disk starts.
---@class moonboot.PxeItem
---@field [1] string its text
---@field file? string what it boots from here; `.0` is added to a name without a dot
---@field server? string the IPv4 address of the server that has the file, or of the boot server
---@field type? integer of another boot server's items: what they are known by

---How DHCP is answered, for the whole site.
---@class moonboot.Site
---@field programs? table<moonboot.Arch, string> the program that brings iPXE, by architecture
---@field vendors? string[] vendor classes that are answered too, besides PXEClient and HTTPClient

---What a person may choose from.
---@class moonboot.Menu
---@field title? string above the entries
---@field timeout? number seconds until the default is taken; without it the menu waits
---@field default? integer|string the number or label of an entry: the first, if none is named
---@field [integer] { [1]: string, [2]: moonboot.Choice } an entry: its label and what it boots, anything but a function or a menu

---A part of the machines, always the same ones, and with a larger percentage these and more.
---@class moonboot.Rollout
---@field percent number how many, 0 to 100; hundredths count
---@field use moonboot.Choice what these boot
---@field otherwise moonboot.Choice what the others boot, and those without the field
---@field by? string the field that a machine is told by; `mac` if none is named
---@field salt? string rollouts of one salt take the same machines; the rule's name if there is none

---What is done once, until an event says that it is done.
---@class moonboot.Once
---@field [1] moonboot.Choice what is booted until then
---@field done_on string the event that says so
---@field then_boot? moonboot.Choice what is booted from then on; `disk` if nothing is said
---@field again_on? string the event after which it is to be done again; `reinstall` if nothing is said
---@field by? string the field that a machine is known by; `mac` if none is named

---Another server, and how it is asked.
---@class moonboot.HttpClient
---@field base? string what the URLs begin with
---@field timeout? number seconds for an answer; 5 if nothing is said
---@field headers? table<string, string> fields of each request
---@field cache? moonboot.HttpCache how long answers are kept
---@field redirects? integer how many are followed; 5 if nothing is said
---@field max_kb? integer the size of an answer; 1024 if nothing is said
---@field proxy? string a proxy's URL
---@field unix? string the path of a socket, instead of the server's address
---@field ca? string certificates to trust, in PEM; those of the system if nothing is said
---@field cert? string our certificate, in PEM
---@field key? string its key, in PEM
---@field verify? boolean false: takes any certificate

---How long answers to GET are kept, and shared by all machines.
---@class moonboot.HttpCache
---@field ttl number seconds until the server is asked again
---@field stale_if_error? number seconds more, when the server fails or is slow
---@field key? fun(url: string): string what has the same key has the same answer; the URL if nothing is said

---Something that has happened to a machine.
---@class moonboot.Event
---@field name string what has happened
---@field time number when: seconds since 1970
---@field params table<string, string> what the query of the request says besides, decoded; what `emit` was given; of a stage `what`
---@field body? string what was sent
---@field client? string the address that it came from

---A file of hosts, and the field that they are keyed by.
---@class moonboot.InventoryFile
---@field file string YAML, JSON or CSV, by its suffix
---@field key? string a field of machines; what the file says if none is named

---What a function of `serve` is asked.
---@class moonboot.Request
---@field method string GET, HEAD or POST
---@field path string decoded
---@field params table<string, string> the values of the path's names
---@field query table<string, string> the query, decoded; the first of a repeated name
---@field raw_query string the query as it was sent
---@field host? string the Host field
---@field user_agent? string the User-Agent field
---@field body? string what was sent
---@field client? string the client's address
---@field base string what absolute URLs of this server begin with
---@field machine moonboot.Machine the machine that the query tells of, as at `/ipxe`; what is malformed there is absent

---What a function of `serve` may answer, besides a text.
---@class moonboot.Response
---@field body? string the text
---@field status? integer 200 to 599
---@field type? string media type, plain text if there is none
---@field asset? string instead of body and status: a file under `/assets/`

---A machine, as functions see it.
---@class moonboot.Machine
---@field mac? string hardware address, as 52:54:00:12:34:56
---@field uuid? string SMBIOS UUID, as dmidecode prints it
---@field serial? string SMBIOS serial number
---@field asset? string SMBIOS asset tag
---@field manufacturer? string SMBIOS manufacturer
---@field product? string SMBIOS product name
---@field hostname? string the name it was given by DHCP
---@field domain? string the DNS domain it was given by DHCP
---@field arch? moonboot.Arch kind of firmware: bios, efi-x64, …
---@field arch_id? number its number (option 93); 7 and 9 are both efi-x64
---@field platform? string iPXE's platform: pcbios, efi
---@field buildarch? string iPXE's own architecture: i386, x86_64, arm64
---@field ip? string its address
---@field gateway? string its router
---@field interface? string our interface that heard it
---@field vlan? number VLAN tag
---@field relay? string address of the DHCP relay (giaddr)
---@field circuit_id? string the relay's port (option 82.1)
---@field remote_id? string the relay's name (option 82.2)
---@field user_class? string option 77
---@field vendor_class? string option 60
---@field firmware? string who asks: pxe, http, ipxe, grub, uboot, …
---@field features? table<string, boolean> what iPXE can do: http, bzimage, …
---@field stage? string how it asks: dhcp, tftp, ipxe, grub, …
---@field tls? string over HTTPS: the version of TLS
---@field tls_name? string the common name of its client certificate (http.tls.client_ca)
---@field tls_subject? string the subject of that: CN=node1,O=lab
---@field tls_fingerprint? string the SHA-256 of that, in hexadecimal
---@field label? table<string, string> label.NAME: any other query parameter

---Which machines a rule means.
---@class moonboot.Match
---@field mac? moonboot.Matches hardware address, as 52:54:00:12:34:56
---@field uuid? moonboot.Matches SMBIOS UUID, as dmidecode prints it
---@field serial? moonboot.Matches SMBIOS serial number
---@field asset? moonboot.Matches SMBIOS asset tag
---@field manufacturer? moonboot.Matches SMBIOS manufacturer
---@field product? moonboot.Matches SMBIOS product name
---@field hostname? moonboot.Matches the name it was given by DHCP
---@field domain? moonboot.Matches the DNS domain it was given by DHCP
---@field arch? moonboot.Matches kind of firmware: bios, efi-x64, …
---@field arch_id? moonboot.Matches its number (option 93); 7 and 9 are both efi-x64
---@field platform? moonboot.Matches iPXE's platform: pcbios, efi
---@field buildarch? moonboot.Matches iPXE's own architecture: i386, x86_64, arm64
---@field ip? moonboot.Matches its address
---@field gateway? moonboot.Matches its router
---@field interface? moonboot.Matches our interface that heard it
---@field vlan? moonboot.Matches VLAN tag
---@field relay? moonboot.Matches address of the DHCP relay (giaddr)
---@field circuit_id? moonboot.Matches the relay's port (option 82.1)
---@field remote_id? moonboot.Matches the relay's name (option 82.2)
---@field user_class? moonboot.Matches option 77
---@field vendor_class? moonboot.Matches option 60
---@field firmware? moonboot.Matches who asks: pxe, http, ipxe, grub, uboot, …
---@field features? moonboot.Matches what iPXE can do: http, bzimage, …
---@field stage? moonboot.Matches how it asks: dhcp, tftp, ipxe, grub, …
---@field tls? moonboot.Matches over HTTPS: the version of TLS
---@field tls_name? moonboot.Matches the common name of its client certificate (http.tls.client_ca)
---@field tls_subject? moonboot.Matches the subject of that: CN=node1,O=lab
---@field tls_fingerprint? moonboot.Matches the SHA-256 of that, in hexadecimal
---@field label? table<string, moonboot.Matches> label.NAME: any other query parameter

---A verdict, such as `disk` or `deny "why"`
---@class moonboot.Verdict

---A matcher, such as `prefix "52:54:00"`
---@class moonboot.Matcher

---A template, read from a file
---@class moonboot.Template

---Hosts by a key: a rule may `boot` it, a field may be in it, and `hosts:get(machine)` is that host as a function may answer it, or nil
---@alias moonboot.Inventory moonboot.Verdict|{ get: fun(self: any, machine: moonboot.Machine|string|number): moonboot.Use? }

---A generator of values for tests
---@class moonboot.Generator

---What a rule may boot: a profile's name, a verdict, or a table
---@alias moonboot.Choice string|moonboot.Verdict|moonboot.Use|moonboot.Profile|moonboot.Inventory

---What a field may be matched with: a value, a matcher, a function, or a list of these
---@alias moonboot.Matches string|number|moonboot.Matcher|table|(fun(value: any, machine: moonboot.Machine): boolean?, string?)

---A kind of firmware
---@alias moonboot.Arch "alpha"|"arc-x86"|"arm-rpiboot"|"bios"|"bios-http"|"efi-arm32"|"efi-arm32-http"|"efi-arm64"|"efi-arm64-http"|"efi-ebc-http"|"efi-ia32"|"efi-ia32-http"|"efi-riscv128"|"efi-riscv128-http"|"efi-riscv32"|"efi-riscv32-http"|"efi-riscv64"|"efi-riscv64-http"|"efi-x64"|"efi-x64-http"|"efi-xscale"|"intel-lean"|"itanium"|"loongarch32"|"loongarch32-http"|"loongarch64"|"loongarch64-http"|"mips32"|"mips64"|"nec-pc98"|"power-opal"|"powerpc-epapr"|"powerpc-openfirmware"|"s390-basic"|"s390-extended"|"sunway32"|"sunway64"|"uboot-arm32"|"uboot-arm32-http"|"uboot-arm64"|"uboot-arm64-http"|string

---A boot program
---@alias moonboot.Loader "grub"|"ipxe"|"lpxelinux"|"pxelinux"|"shim"

---what a machine boots
---
---`profile "name" {…}`
---@param name string
---@return fun(body: moonboot.Profile)
function profile(name) end

---who boots what
---
---`rule "name" {…}`
---@param name string
---@return fun(body: moonboot.Rule)
function rule(name) end

---how DHCP is answered, for the whole site
---
---`dhcp {…}`
---@param body moonboot.Site
function dhcp(body) end

---an HTTP path of the policy's own
---
---`serve "/path/:name" (function (request) … end)`
---@param path string
---@return fun(answer: fun(request: moonboot.Request): (string|moonboot.Response)?, string?)
function serve(path) end

---leave network boot for the local disk
---
---`disk`
---@type moonboot.Verdict
disk = nil

---silence, as if moonboot were not there
---
---`ignore`
---@type moonboot.Verdict
ignore = nil

---iPXE's shell, for that machine
---
---`shell`
---@type moonboot.Verdict
shell = nil

---a refusal that the machine shows
---
---`deny "why"`
---@param why string
---@return moonboot.Verdict
function deny(why) end

---an iPXE script or program from somewhere else
---
---`chain "url"`
---@param url string
---@return moonboot.Verdict
function chain(url) end

---a person chooses
---
---`menu {…}`
---@param body moonboot.Menu
---@return moonboot.Verdict
function menu(body) end

---until an event says that it is done, then something else
---
---`once {…}`
---@param body moonboot.Once
---@return moonboot.Verdict
function once(body) end

---a stable part of the machines boots something else
---
---`rollout {…}`
---@param body moonboot.Rollout
---@return moonboot.Verdict
function rollout(body) end

---begins with it
---
---`prefix "52:54:00"`
---@param text string
---@return moonboot.Matcher
function prefix(text) end

---ends with it
---
---`suffix "-gpu"`
---@param text string
---@return moonboot.Matcher
function suffix(text) end

---a shell's pattern, of the whole value
---
---`glob "R6?0*"`
---@param pattern string
---@return moonboot.Matcher
function glob(pattern) end

---a Lua pattern, anywhere in the value
---
---`pattern "^R%d+$"`
---@param pattern string
---@return moonboot.Matcher
function pattern(pattern) end

---an address in that network
---
---`subnet "10.0.0.0/8"`
---@param network string
---@return moonboot.Matcher
function subnet(network) end

---from the first to the last: numbers, IPv4 or MAC addresses
---
---`range(100, 199)`
---@param first string|number
---@param last string|number
---@return moonboot.Matcher
function range(first, last) end

---anything but a value, a list, a matcher or a function
---
---`except(…)`
---@param what moonboot.Matches
---@return moonboot.Matcher
function except(what) end

---any value, but one
---
---`present`
---@type moonboot.Matcher
present = nil

---no value
---
---`absent`
---@type moonboot.Matcher
absent = nil

---runs another file of the policy, here
---
---`include "file.lua"`
---@param file string
function include(file) end

---the value of the module `lib/hosts.lua` or `lib/hosts/init.lua`, run once
---
---`require "lib.hosts"`
---@param module string
---@return any
function require(module) end

---a file's text
---
---`read("file", default)`
---@param file string
---@param default? any
---@return string
function read(file, default) end

---the names in a directory, sorted; of directories with a slash behind
---
---`list("directory", default)`
---@param directory string
---@param default? any
---@return string[]
function list(directory, default) end

---the text that `moonboot seal` has sealed for this server
---
---`sealed "seal1.…"`
---@param sealed string
---@return string
function sealed(sealed) end

---hosts by a key: what each boots, its arguments and vars
---
---`inventory "hosts.yaml"`
---@param file string|moonboot.InventoryFile
---@return moonboot.Inventory
function inventory(file) end

---what is wrong in a file that was read, reported with the policy's own mistakes
---
---`problem("file", line, "text")`
---@param file string
---@param line integer
---@param text string
function problem(file, line, text) end

---a document with `{{…}}` in it, for `config`
---
---`template "file"`
---@param file string
---@return moonboot.Template
function template(file) end

---what to do when that has happened
---
---`on("event", function (machine, event) … end)`
---@param event string
---@param handler fun(machine: moonboot.Machine, event: moonboot.Event)
function on(event, handler) end

---says that this has happened to a machine, or to that of an address; it is taken in when the function has ended
---
---`emit("event", machine, { name = "text" })`
---@param event string
---@param machine moonboot.Machine|string
---@param params? table<string, string>
function emit(event, machine, params) end

---what has happened to machines
---
---`machines`
machines = {}

---the record of one: `mac`, `uuid`, `serial` and `events`, the latest last; nil: nothing is known of it
---
---`machines.get("52:54:00:12:34:56")`
---@param machine string
---@return table?
function machines.get(machine) end

---those that have not got past a stage of their boot for so long: a list of `mac`, `uuid`, `serial`, `at` and `since`
---
---`machines.stuck(seconds)`
---@param seconds number
---@return table[]
function machines.stuck(seconds) end

---what a policy remembers
---
---`state`
state = {}

---the value, or nil
---
---`state.get(key)`
---@param key string
---@return any
function state.get(key) end

---true, or nil and why not; with a `ttl` it is forgotten after that time
---
---`state.set(key, value, { ttl = seconds })`
---@param key string
---@param value any
---@param options? { ttl?: number }
---@return true?
---@return string?
function state.set(key, value, options) end

---the value that the function makes of the one there is, whoever else writes; nil deletes
---
---`state.update(key, function (value) return … end)`
---@param key string
---@param change fun(value: any): any
---@param options? { ttl?: number }
---@return any
---@return string?
function state.update(key, change, options) end

---forgets it: true, or nil and why not
---
---`state.delete(key)`
---@param key string
---@return true?
---@return string?
function state.delete(key) end

---for loops: keys that begin so, in order, and values
---
---`state.each(prefix)`
---@param prefix? string
---@return fun(): string?, any
function state.each(prefix) end

---waits, and nobody else with it; in a function of `boot`, `serve` or `on`
---
---`sleep(seconds)`
---@param seconds number
function sleep(seconds) end

---names and addresses
---
---`dns`
dns = {}

---its IPv4 addresses, or nil and why there are none
---
---`dns.lookup(name)`
---@param name string
---@return string[]?
---@return string?
function dns.lookup(name) end

---the name of an IPv4 address, or nil and why there is none
---
---`dns.ptr(address)`
---@param address string
---@return string?
---@return string?
function dns.ptr(address) end

---runs functions that wait all at once: a table of what each returned, and one of what went wrong, by their keys
---
---`parallel {…}`
---@param functions table<any, fun(): any, string?>
---@return table
---@return table
function parallel(functions) end

---other servers
---
---`http`
http = {}

---a server: `client:get(path, …)` and `head`, `delete`, `post`, `put`, `patch`
---
---`http.client {…}`
---@param options moonboot.HttpClient
---@return table
function http.client(options) end

---JSON
---
---`json`
json = {}

---its value, or nil and what is wrong
---
---`json.decode(text)`
---@param text string
---@return any
---@return string?
function json.decode(text) end

---its text, names in order, or nil and what is wrong
---
---`json.encode(value)`
---@param value any
---@return string?
---@return string?
function json.encode(value) end

---marks a list, which an empty one cannot show by itself
---
---`json.array {…}`
---@param list? table
---@return table
function json.array(list) end

---what null is read as, and written from
---
---`json.null`
---@type lightuserdata
json.null = nil

---YAML
---
---`yaml`
yaml = {}

---its value, or nil and what is wrong; null is `json.null`
---
---`yaml.decode(text)`
---@param text string
---@return any
---@return string?
function yaml.decode(text) end

---the service's log, with the policy's file and line
---
---`log`
log = {}

---for whoever looks closely
---
---`log.debug(…)`
---@param ... any
function log.debug(...) end

---as `print`
---
---`log.info(…)`
---@param ... any
function log.info(...) end

---something is odd
---
---`log.warn(…)`
---@param ... any
function log.warn(...) end

---something is wrong
---
---`log.error(…)`
---@param ... any
function log.error(...) end

---what the policy is to decide for a machine
---
---`test "name" {…}`
---@param name string
---@return fun(body: table)
function test(name) end

---has it somewhere in it, or all of a list
---
---`contains "text"`
---@param what string|string[]
---@return table
function contains(what) end

---has it nowhere in it, or none of a list
---
---`lacks "text"`
---@param what string|string[]
---@return table
function lacks(what) end

---a text that this Lua pattern matches
---
---`matches "^pattern$"`
---@param pattern string
---@return table
function matches(pattern) end

---generators of values, for `for_all`
---
---`any`
any = {}

---a MAC address, that begins so
---
---`any.mac, any.mac "52:54:00"`
---@type moonboot.Generator
any.mac = nil

---a UUID, that begins so
---
---`any.uuid, any.uuid "4c4c4544"`
---@type moonboot.Generator
any.uuid = nil

---an IPv4 address, of that network
---
---`any.ip, any.ip "10.0.0.0/8"`
---@type moonboot.Generator
any.ip = nil

---capitals and digits
---
---`any.serial`
---@type moonboot.Generator
any.serial = nil

---hostile text: quotes, braces, line breaks, bytes that are no text; of so many pieces at most
---
---`any.text, any.text(4)`
---@type moonboot.Generator
any.text = nil

---a whole number, the first and the last included
---
---`any.integer(1, 4094)`
---@type moonboot.Generator
any.integer = nil

---a kind of firmware
---
---`any.arch`
---@type moonboot.Generator
any.arch = nil

---one of these values, or of what these generators make
---
---`any.one_of { "a", any.text }`
---@param values any[]
---@return moonboot.Generator
function any.one_of(values) end

---nothing, or what the generator makes
---
---`any.maybe(any.serial)`
---@param value any
---@return moonboot.Generator
function any.maybe(value) end

---in `steps`: what is decided by then
---
---`expect {…}`
---@param wanted table|function
---@return table
function expect(wanted) end

---in `steps`: the machine says that this has happened
---
---`event "installed"`
---@param name string
---@param about? { params: table<string, string>?, body: string?, client: string? }
---@return table
function event(name, about) end

---in `steps`: so many seconds pass
---
---`wait(30)`
---@param seconds number
---@return table
function wait(seconds) end

---what is sealed under these names, as far as these tests go
---
---`secrets { ["root-password"] = "…" }`
---@param values table<string, string>
function secrets(values) end

---the policy that is tested, where the name does not tell
---
---`policy "file.lua"`
---@param file string
function policy(file) end

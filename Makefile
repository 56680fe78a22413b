# tarcap. See 'make help'. Everything made goes below $(BUILD); V=1 shows the commands.
BUILD ?= build
ARCH := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,amd64)# this machine's
ARCHES ?= amd64 arm64# what is shipped
SIZE_LIMITS := 1152 1408 560# KiB: the binary, the image, its layer as it is pulled; for each architecture
SOAK_TIME ?= 600

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
	-Wformat=2 -Wundef -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror
STANDARD := -std=c17 -D_GNU_SOURCE
LDLIBS := -larchive -lzstd -lpcap -ljansson -lsodium
LINKED := musl libpcap libarchive libzstd jansson libsodium
SOURCES_TEXT = $(shell for name in $(LINKED); do grep "^$$name " $(BUILD)/sources/versions; done | paste -sd, | sed 's/,/, /g')

comma := ,
SRC := $(sort $(wildcard src/*.c src/*/*.c))# in one order in every locale: the linker keeps it
ifeq ($(V),)
Q := @
say = @printf '  %-8s %s\n' $(1) $(2)
endif

.PHONY: all static image load push reproducible FORCE demo test coverage soak plugin install uninstall install-extcap release-files help clean distclean
.DELETE_ON_ERROR:

## make: the development binary, build/dev/tarcap
all: $(BUILD)/dev/tarcap

## make static: the shipped binaries, build/amd64/tarcap and build/arm64/tarcap; build/tarcap is a link to this machine's.
##   One alone: make static ARCHES=amd64
static: $(ARCHES:%=$(BUILD)/%/tarcap)
	@:

## make image: the image for all machines, build/tarcap.oci.tar; where an engine answers, what 'make load' does, too
image: $(BUILD)/tarcap.oci.tar
	$(Q)BUILD=$(abspath $(BUILD)) image/load $(ARCH) $(BUILD)/tarcap.oci.tar

## make load: this machine's image alone, tarcap:VERSION and tarcap:latest in docker, podman or buildah
load: $(BUILD)/$(ARCH)/layer.tar
	$(Q)BUILD=$(abspath $(BUILD)) image/load $(ARCH)

## make push IMAGE=registry/name:tag: the image for all machines to a registry, with skopeo (or docker: this machine's)
push:
	$(Q)[ -n "$(IMAGE)" ] || { echo "push: IMAGE is missing: make push IMAGE=registry/name:tag" >&2; exit 2; }
	$(Q)$(MAKE) --no-print-directory $(BUILD)/tarcap.oci.tar
	$(Q)BUILD=$(abspath $(BUILD)) image/push $(BUILD)/tarcap.oci.tar $(IMAGE)

## make release-files SOURCE_URL=https://HOST/OWNER/tarcap: build/release, all files of a release: binaries, image, plugin,
##   manual page, SBOMs, krew manifest, SHA256SUMS
release-files:
	$(Q)[ -n "$(SOURCE_URL)" ] || { echo "release-files: SOURCE_URL is missing: make release-files SOURCE_URL=https://HOST/OWNER/tarcap" >&2; exit 2; }
	$(Q)$(MAKE) --no-print-directory SOURCE_URL="$(SOURCE_URL)" $(BUILD)/tarcap.oci.tar
	$(Q)BUILD=$(abspath $(BUILD)) image/release "$(SOURCE_URL)"

# All that is shipped; make reproducible compares it.
SHIPPED := $(ARCHES:%=%/tarcap) $(ARCHES:%=%/layer.tar) $(ARCHES:%=%/tarcap.spdx.json) tarcap.oci.tar

## make reproducible: build all that is shipped once more, elsewhere and under other circumstances, and compare every byte
reproducible: $(SHIPPED:%=$(BUILD)/%)
	$(Q)BUILD=$(BUILD) ARCHES="$(ARCHES)" image/reproducible $(SHIPPED)

## make demo: capture a web server container's traffic and show what came out (does all set-up)
demo: $(BUILD)/$(ARCH)/tarcap
	$(Q)tests/demo/run

## make test: all tests (does all set-up; as root, for interfaces and a container engine)
test:
	$(Q)tests/run

## make coverage: test what counts lines, print how many of src/ were run; the others: build/coverage/uncovered.txt
coverage:
	$(Q)ONLY="units asan faults" tests/run

## make soak: one capture for SOAK_TIME seconds (600): memory and descriptors stay flat, every packet is accounted for
soak: $(BUILD)/$(ARCH)/tarcap
	$(Q)tests/soak $(SOAK_TIME)

-include tests/programs.mk tests/bench/programs.mk # where tests/ is: a build from source for the image has none

## make plugin: k8s/kubectl-tarcap and k8s/tarcap-extcap, put together from their parts in k8s/plugin
plugin:
	$(Q)k8s/plugin/assemble

$(BUILD)/sources/versions: image/sources
	$(Q)BUILD=$(abspath $(BUILD)) image/sources fetch

# The link is made anew by each build of the libraries; its age says nothing, so 'done' is what counts.
$(BUILD)/libs/%/done: image/libraries image/libc image/hardening $(BUILD)/sources/versions
	$(Q)BUILD=$(abspath $(BUILD)) image/libraries $*
	$(Q)touch $@

# What no packet passes is made small: for the image's budget.
COLD := command_% archive/% request/% system/% summary/page% summary/%findings summary/kernel_% capture/filter% capture/interfaces \
	capture/exclude capture/capture_open capture/capture_set capture/file_header summary/dns% summary/tls% summary/icmp% \
	summary/neighbour% summary/http summary/left_open summary/between% summary/together base/json base/err base/clock main record/held record/stored record/channel $(addprefix \
	read/,account_match decompress defects directory extended joined_told manifest_read match recorder_% request_match roll \
	source verify) $(addprefix \
	run/,report progress say capturing snapshot recorder_% resume channel_words ending watch idle link_watch stopping feedback)
cold = $(if $(filter $(COLD),$(1)),-Os)
# FILE TEXT: write it, unless it is there, so that the file is as old as the text. Two may do so at once, and where each has
# process ids of its own, these may be the same.
write_new = sh -ec 'new=$$(mktemp "$$1.XXXXXX"); echo "$$2" >"$$new"; chmod 644 "$$new"; \
	if cmp -s "$$new" "$$1"; then rm "$$new"; else mv "$$new" "$$1"; fi' write_new
# What --version tells, of one file: it is compiled anew where the commit is another.
VERSION_FLAGS = -DTARCAP_SOURCES='"$(SOURCES_TEXT)"' -DTARCAP_COMMIT='"$(shell cat $(BUILD)/revision)"'
$(BUILD)/revision: FORCE
	$(Q)mkdir -p $(@D) && text=$$(BUILD=$(BUILD) image/version revision) && $(write_new) $@ "$$text"
# $(1): directory below $(BUILD), $(2): libraries, $(3): compiler, $(4): flags, $(5): linker flags
define binary
$(1)_OBJ := $$(patsubst src/%.c,$(BUILD)/$(1)/obj/%.o,$(SRC))
$$($(1)_OBJ): $(BUILD)/$(1)/obj/%.o: src/%.c $(BUILD)/libs/$(2)/done Makefile
	$$(call say,CC,$$<)
	$(Q)mkdir -p $$(@D)
	$(Q)rm -f $$(@:.o=.gcda) # counts of the lines of an older one
	$(Q)$(3) $(STANDARD) $(WARNINGS) $(4) $$(if $$(findstring -O2,$(4)),$$(call cold,$$*)) -Isrc -isystem $(BUILD)/libs/$(2)/include -MMD -MP \
		$$(if $$(filter command_capture,$$*),$$(VERSION_FLAGS)) -c -o $$@ $$<
-include $$($(1)_OBJ:.o=.d)
$(BUILD)/$(1)/obj/command_capture.o: $(BUILD)/revision

$(BUILD)/$(1)/tarcap: $$($(1)_OBJ)
	$$(call say,LINK,$$@)
	$(Q)$(3) $(4) $(5) -o $$@ $$^ -L$(BUILD)/libs/$(2)/lib $(LDLIBS)
endef

SANITIZED := -O1 -g -DSANDBOX_OPEN -fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ASAN_FLAGS := $(SANITIZED) -fno-pie -no-pie
FUZZ_FLAGS := $(SANITIZED) -DTABLE_SHARE=256 -fsanitize=fuzzer-no-link -Wno-format-nonliteral -Wno-implicit-fallthrough
# The hardened musl build, for one machine; -z text: a relocation that would need writable code is an error.
musl_cc = $(BUILD)/libs/$(1)/bin/musl-gcc
# A frame of more than 6 KiB is an error: a stack may be as small as 64 KiB (ulimit -s), and libraries have a part in it.
musl_flags = $(shell image/hardening $(1)) -Wframe-larger-than=6144 -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables -isystem $(BUILD)/libs/$(1)/kernel
LINK_STATIC := -static-pie -Wl,-z,text,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--gc-sections,--build-id=none
link_amd64 := -Wl,-z,pack-relative-relocs

$(foreach arch,$(sort $(ARCHES) $(ARCH)),$(eval $(call binary,static/$(arch),$(arch),$(call musl_cc,$(arch)),\
	-O2 -g -ffile-prefix-map=$(CURDIR)=. $(call musl_flags,$(arch)),$(LINK_STATIC) $(link_$(arch)) -s)))
# The development binary is the same, with what a debugger reads; other CFLAGS make one of its own.
ifeq ($(CFLAGS),-O2 -g)
$(BUILD)/dev/tarcap: $(static/$(ARCH)_OBJ)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(call musl_cc,$(ARCH)) -g $(LINK_STATIC) $(link_$(ARCH)) -o $@ $^ -L$(BUILD)/libs/$(ARCH)/lib $(LDLIBS)
else
$(eval $(call binary,dev,$(ARCH),$(call musl_cc,$(ARCH)),$(CFLAGS) $(call musl_flags,$(ARCH)),$(LINK_STATIC) $(link_$(ARCH))))
endif
# It counts the lines it runs, for tests/coverage; what is linked with its objects needs -lgcov.
# Tests start it some ten thousand times: that takes a quarter less where nothing is relocated and one library less is loaded.
$(eval $(call binary,asan,asan,gcc,$(ASAN_FLAGS) --coverage,-static-libasan -static-libubsan))
$(eval $(call binary,fuzz,fuzz,clang,$(FUZZ_FLAGS),))

$(ARCHES:%=$(BUILD)/%/tarcap): $(BUILD)/%/tarcap: $(BUILD)/static/%/tarcap image/check-static
	$(call say,CHECK,$@)
	$(Q)image/check-static $< $(word 1,$(SIZE_LIMITS))
	$(Q)mkdir -p $(@D)
	$(Q)cp $< $@.new && mv $@.new $@ # the old one may be running
	$(Q)[ $* != $(ARCH) ] || ln -sfn $*/tarcap $(BUILD)/tarcap

# What the image says of how it came to be.
$(BUILD)/image: FORCE
	$(Q)mkdir -p $(@D) && text=$$(BUILD=$(BUILD) image/version record) && $(write_new) $(@D)/commit "$$text" && \
		$(write_new) $@ "$$text $(ARCHES) $(SOURCE_URL)"

$(ARCHES:%=$(BUILD)/%/layer.tar): $(BUILD)/%/layer.tar: $(BUILD)/%/tarcap $(BUILD)/image LICENSE src/tarcap.1 \
		$(addprefix image/,layer licences sbom version check-size) $(shell find image/root -type f)
	$(call say,LAYER,$@)
	$(Q)BUILD=$(abspath $(BUILD)) image/layer $* $< $@
	$(Q)image/check-size $@ $(wordlist 2,3,$(SIZE_LIMITS))
$(ARCHES:%=$(BUILD)/%/tarcap.spdx.json): %/tarcap.spdx.json: %/layer.tar ;

$(BUILD)/tarcap.oci.tar: $(ARCHES:%=$(BUILD)/%/layer.tar) image/archive Containerfile
	$(call say,ARCHIVE,$@)
	$(Q)BUILD=$(abspath $(BUILD)) image/archive $@ $(ARCHES)

PREFIX ?= /usr/local

INSTALL = DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" EXTCAPDIR="$(EXTCAPDIR)" BUILD=$(abspath $(BUILD)) image/install

## make install: the shipped binary, plugin, extcap program, Wireshark profiles, manual page, completions and licences below
##   $(DESTDIR)$(PREFIX), by default /usr/local; EXTCAPDIR is the folder of Wireshark's extcap programs
install: $(BUILD)/$(ARCH)/tarcap
	$(Q)$(INSTALL) $<

## make uninstall: remove what make install uninstall install-extcap has put there
uninstall:
	$(Q)$(INSTALL) --uninstall

## make install-extcap: containers and pods on your own Wireshark's start screen; takes no root
install-extcap:
	$(Q)$(INSTALL) --extcap

help:
	@sed -n 's/^## //p' $(filter Makefile %.mk,$(MAKEFILE_LIST))

clean:
	rm -rf $(addprefix $(BUILD)/,dev static asan faults probe fuzz coverage amd64 arm64 tarcap reproducible tests bench pycache)

distclean:
	rm -rf $(BUILD)

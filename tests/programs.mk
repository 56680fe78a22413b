# What tests/unit, tests/faults, tests/probe and tests/fuzz are built into; a part of the Makefile.
.PHONY: unit unit-build cmocka fuzz fuzz-build

# Units: each tests/unit/NAME.c with every part but main, under AddressSanitizer and UBSan.
UNITS := $(patsubst tests/unit/%.c,$(BUILD)/asan/unit-%,$(wildcard tests/unit/*.c))

## make unit: build the unit tests and run them
unit: unit-build
	$(Q)for unit in $(UNITS); do $$unit || exit 1; done

unit-build: $(UNITS)

$(BUILD)/asan/unit-%: tests/unit/%.c tests/unit/unit.h tests/support/stream.h $(BUILD)/asan/tarcap | cmocka
	$(call say,UNIT,$@)
	$(Q)gcc $(STANDARD) $(WARNINGS) $(ASAN_FLAGS) -Isrc -isystem $(BUILD)/libs/asan/include -o $@ $< \
		$(filter-out %/main.o,$(asan_OBJ)) -L$(BUILD)/libs/asan/lib $(LDLIBS) -lcmocka -lgcov

# What TCP's analysis says of each packet, for tests/agreement.
$(BUILD)/asan/verdicts: tests/support/verdicts.c $(BUILD)/asan/tarcap
	$(call say,SUPPORT,$@)
	$(Q)gcc $(STANDARD) $(WARNINGS) $(ASAN_FLAGS) -Isrc -isystem $(BUILD)/libs/asan/include -o $@ $< \
		$(filter-out %/main.o,$(asan_OBJ)) -L$(BUILD)/libs/asan/lib $(LDLIBS) -lgcov

# The sanitized program with failures on demand in front of everything: see tests/faults/faults.c.
$(BUILD)/faults/tarcap: tests/faults/faults.c $(BUILD)/asan/tarcap
	$(call say,FAULTS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc $(STANDARD) $(WARNINGS) $(ASAN_FLAGS) -isystem $(BUILD)/libs/asan/include -c -o $(@D)/faults.o $<
	$(Q)gcc $(ASAN_FLAGS) -o $@ $(@D)/faults.o $(asan_OBJ) -L$(BUILD)/libs/asan/lib $(LDLIBS) -lgcov \
		$$(nm $(@D)/faults.o | sed -n 's/.* T __wrap_/-Wl,--wrap=/p')

# The shipped program's objects, with attempts to do from inside the sandbox what it refuses.
$(ARCHES:%=$(BUILD)/probe/%/tarcap): $(BUILD)/probe/%/tarcap: tests/probe/probe.c $(BUILD)/static/%/tarcap
	$(call say,PROBE,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(call musl_cc,$*) $(STANDARD) $(WARNINGS) -O2 $(call musl_flags,$*) -Isrc -c -o $(@D)/probe.o $<
	$(Q)$(call musl_cc,$*) $(LINK_STATIC) -o $@ $(@D)/probe.o $(static/$*_OBJ) -L$(BUILD)/libs/$*/lib $(LDLIBS) \
		$$(nm $(@D)/probe.o | sed -n 's/.* T __wrap_/-Wl,--wrap=/p')

# Fuzz targets: each tests/fuzz/NAME.c with every part but main, by clang. What they find is kept below $(BUILD)/fuzz.
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/fuzz-%,$(wildcard tests/fuzz/*.c))
FUZZ_TIME ?= 60

## make fuzz: fuzz each target of tests/fuzz for FUZZ_TIME seconds (60), until the first crash
fuzz: fuzz-build
	$(Q)BUILD=$(BUILD) tests/fuzz/run $(FUZZ_TIME) $(FUZZERS:$(BUILD)/fuzz/fuzz-%=%)

fuzz-build: $(FUZZERS)
$(BUILD)/fuzz/fuzz-%: tests/fuzz/%.c tests/fuzz/fuzz.h tests/support/stream.h $(BUILD)/fuzz/tarcap
	$(call say,FUZZ,$@)
	$(Q)clang $(STANDARD) $(WARNINGS) $(FUZZ_FLAGS) -fsanitize=fuzzer -Isrc -isystem $(BUILD)/libs/fuzz/include \
		-o $@ $< $(filter-out %/main.o,$(fuzz_OBJ)) -L$(BUILD)/libs/fuzz/lib $(LDLIBS)

cmocka:
	$(Q)image/need libcmocka-dev:/usr/include/cmocka.h

# The benchmark's programs; a part of the Makefile.
.PHONY: bench figures bench-programs

## make bench: measure against tcpdump, dumpcap and the least there can be (15 minutes; ROWS="cpu-64 start" for some)
bench:
	$(Q)tests/bench/run $(ROWS)

## make figures: put what make bench measured last (ROWS of it) into the documents
figures:
	$(Q)tests/bench/keep $(ROWS)
	$(Q)tests/bench/fill

BENCH_CC = $(call musl_cc,$(ARCH)) $(STANDARD) $(WARNINGS) -O2 $(call musl_flags,$(ARCH))
BENCH_LIBS = -L$(BUILD)/libs/$(ARCH)/lib $(LDLIBS)

bench-programs: $(BUILD)/$(ARCH)/tarcap $(addprefix $(BUILD)/bench/,load count floor talk tarcap-open tarcap-waste)

$(BUILD)/bench/%: tests/bench/%.c tests/bench/programs.mk $(BUILD)/libs/$(ARCH)/done
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BENCH_CC) -isystem $(BUILD)/libs/$(ARCH)/include $(LINK_STATIC) -o $@ $< $(BENCH_LIBS)

# The shipped objects without the sandbox, in which valgrind's own work would be refused; and the same with waste.c.
$(BUILD)/bench/tarcap-open $(BUILD)/bench/tarcap-waste: src/system/sandbox.c tests/bench/waste.c $(BUILD)/static/$(ARCH)/tarcap
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BENCH_CC) -DSANDBOX_OPEN -Isrc $(LINK_STATIC) -o $@ $< \
		$(if $(@:%-open=),tests/bench/waste.c -Wl$(comma)--wrap=segments_add$(comma)--wrap=segments_add_block$(comma)--wrap=order_add_run$(comma)--wrap=poll) \
		$(filter-out %/sandbox.o,$(static/$(ARCH)_OBJ)) $(BENCH_LIBS)

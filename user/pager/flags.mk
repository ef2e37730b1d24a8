# The reader of the boot archive: zlib and its minizip, built by boot/deps.
ifneq ($(picolibc),)
zlib := $(shell boot/deps path zlib)
ifeq ($(wildcard $(zlib)/complete),)
$(error Libraries are missing: run `make setup` first)
endif
endif
extra_pager := -isystem $(zlib)/include
libs_pager := $(zlib)/lib/libminizip.a

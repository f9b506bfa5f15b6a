#!/usr/bin/env node
// Old syntax on purpose: an older Node must get as far as the sentence below.
'use strict'

var major = parseInt(process.versions.node, 10)
if (major < 24) {
  process.stderr.write('kdr: this is Node ' + process.versions.node + ', and kdr needs Node 24 or later\n')
  process.exitCode = 2
} else {
  require('../dist/main.js')
}

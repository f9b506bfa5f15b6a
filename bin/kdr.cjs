#!/usr/bin/env node
// Old syntax on purpose: an older Node must get as far as the sentence below.
'use strict'

// The same as in ./kdr, which says why.
var FLAGS = ['--max-semi-space-size=8', '--heap-growing-percent=75']

var major = parseInt(process.versions.node, 10)
if (major < 24) {
  process.stderr.write('kdr: this is Node ' + process.versions.node + ', and kdr needs Node 24 or later\n')
  process.exitCode = 2
} else {
  // Node takes them only when it starts: it becomes one that has them, with the same process id. Windows cannot do that.
  if (typeof process.execve === 'function' && process.platform !== 'win32' && process.execArgv.indexOf(FLAGS[0]) < 0) {
    var args = FLAGS.concat(process.execArgv, [__filename], process.argv.slice(2))
    process.execve(process.execPath, [process.execPath].concat(args), process.env)
  }
  require('../dist/main.js')
}

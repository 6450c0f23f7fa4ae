// A tap reporter for scripts: prints the TAP stream without its passing assertions, and ends with
// the one line `N passed, N failed, N skipped`, counting named behaviours rather than assertions.
import { createInterface } from 'node:readline'

const BEHAVIOUR = /^ {4}(not )?ok \d+/
const FILE = /^(not )?ok \d+/
const total = { passed: 0, failed: 0, skipped: 0 }
let failedInFile = 0

for await (const line of createInterface({ input: process.stdin })) {
  const behaviour = BEHAVIOUR.exec(line)
  const file = FILE.exec(line)
  if (behaviour) {
    if (behaviour[1]) { total.failed++; failedInFile++ } else if (/# (SKIP|TODO)/i.test(line)) total.skipped++
    else total.passed++
  } else if (file) {
    // A file can fail with no failed behaviour: it crashed, or left something open.
    if (file[1] && failedInFile === 0) total.failed++
    failedInFile = 0
  }
  if (!/^ {8,}(ok \d|# Subtest|\d+\.\.\d+)|^\s*$/.test(line)) console.log(line)
}

console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)

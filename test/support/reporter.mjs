// A tap reporter for scripts: passes the TAP stream on without its passing assertions, and ends with
// the one line `N passed, N failed, N skipped`, counting named behaviours rather than assertions.
import { Transform } from 'node:stream'

const BEHAVIOUR = /^ {4}(not )?ok \d+/
const FILE = /^(not )?ok \d+/
const NOISE = /^ {8,}(ok \d|# Subtest|\d+\.\.\d+)|^\s*$/

export default class Reporter extends Transform {
  #rest = ''
  #passed = 0
  #failed = 0
  #skipped = 0
  #failedInFile = 0

  _transform (chunk, _encoding, done) {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop()
    for (const line of lines) this.#line(line)
    done()
  }

  _flush (done) {
    this.#line(this.#rest)
    this.push(`${this.#passed} passed, ${this.#failed} failed, ${this.#skipped} skipped\n`)
    done()
  }

  #line (line) {
    const behaviour = BEHAVIOUR.exec(line)
    const file = FILE.exec(line)
    if (behaviour?.[1]) {
      this.#failed++
      this.#failedInFile++
    } else if (behaviour) {
      if (/# (SKIP|TODO)/i.test(line)) this.#skipped++
      else this.#passed++
    } else if (file) {
      // A file can fail with no failed behaviour: it crashed, or left something open.
      if (file[1] && this.#failedInFile === 0) this.#failed++
      this.#failedInFile = 0
    }
    if (!NOISE.test(line)) this.push(line + '\n')
  }
}

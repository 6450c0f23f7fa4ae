import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, extname, resolve } from 'node:path'
import { convert, OUTPUTS, type Converted } from '../../lib/characters/cards/convert.js'
import { CardProblem } from '../../lib/characters/cards/problem.js'
import type { Spec } from '../../lib/characters/cards/specs.js'
import { RealtimeError } from '../../lib/errors.js'
import { defineCommand, fail, UsageError } from '../command.js'
import { paint } from '../terminal.js'
import { writeWhole } from '../write-whole.js'

export const command = defineCommand({
  help: `Converts a character: between a module, a Character Card of version 2 or 3, and a PNG with a card.

  dramatis convert IN OUT [options]

  IN    .ts .mts .js .mjs   a character module
        .json .png .charx   a card of version 1, 2 or 3, or an eliza character
  OUT   .ts .mts .js .mjs .json .png

  --spec v2|v3    version of the card (default: that of IN, else v3; a PNG of v3 has both)
  --picture FILE  picture of OUT, a PNG (default: the one of IN, else a plain one)
  --root DIR      up to where the module IN may import (default: its directory)
  --force         write over OUT
  --json          for machines

Every field of a card is kept, in extensions where a version has no place for it. What is code cannot travel into a card, and is listed.
`,
  options: {
    spec: { type: 'string' },
    picture: { type: 'string' },
    root: { type: 'string' },
    force: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false }
  },

  async run ({ spec, picture, root, force, json }, [from, to, ...rest]) {
    if (from === undefined || to === undefined || rest.length > 0) throw new UsageError('Which file is to become which? Give IN and OUT.')
    if (spec !== undefined && spec !== 'v2' && spec !== 'v3') throw new UsageError(`--spec must be v2 or v3, not '${spec}'.`)
    if (!OUTPUTS.includes(extname(to))) throw new UsageError(`OUT must end in one of ${OUTPUTS.join(' ')}, not '${basename(to)}'.`)
    if (picture !== undefined && extname(to) !== '.png') throw new UsageError('--picture is for an OUT that is a PNG.')
    for (const file of [from, picture]) {
      if (file !== undefined && !(await stat(file).catch(() => null))?.isFile()) return fail(`${file} is not a file.`)
    }
    if (!force && await stat(to).catch(() => null) !== null) return fail(`${to} is there already: give another name, or --force.`)

    let made: Converted
    try {
      const file = await realpath(from)
      made = await convert({ file, root: root === undefined ? dirname(file) : resolve(root), to: basename(to), spec: spec as Spec | undefined, picture })
    } catch (error) {
      if (error instanceof CardProblem || error instanceof RealtimeError) return fail(`${from}: ${error.message}`)
      throw error
    }
    const fault = await writeWhole(to, made.bytes, force)
    if (fault !== undefined) return fail(fault)
    const { bytes, ...report } = made
    process.stdout.write(json ? `${JSON.stringify({ in: from, out: to, bytes: bytes.length, ...report })}\n` : describe(to, made))
    return 0
  }
})

function describe (to: string, { name, from, spec, lost }: Converted): string {
  const kind = spec === null ? 'a module' : `a card of version ${spec.slice(1)}`
  const lines = lost.map(({ field, reason }) => `  ${paint('yellow', '!')} ${field}: ${reason}\n`)
  return `Wrote ${to}: ${name}, from ${from} to ${kind}.\n${lines.length === 0 ? '' : `What does not come along, or not as it was:\n${lines.join('')}`}`
}

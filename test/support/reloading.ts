import { join } from 'node:path'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import dramatis from '../../app.js'
import { castOf, characterSource } from './casts.js'
import { cannedEngines, echo, type Script } from './engines.js'
import { testServer } from './server.js'

// Casts on disk for sessions that reload: `default`, and below the roots `team`, `red` and `blue` others.

/** A cast whose files have the same names as those of any other, with state of their own. */
const counting = (house: string) => ({
  'clerk.ts': `import { house, next } from './resources/house.js'\n\n${characterSource('Clerk', `tools: [
    { name: 'count', description: 'Counts.', parameters: { type: 'object' }, run: () => \`\${house} \${next()}\` }
  ]`).replace('instructions.prompt,', 'instructions.prompt + \' Of \' + house,')}`,
  resources: {
    'house.ts': `export const house = '${house}'\nlet count = 0\nexport const next = (): number => ++count\n`
  }
})

const directory = t.testdir({
  default: {
    'ada.ts': characterSource('Ada', "metadata: { good: true, comment: 'The first.' }"),
    'bob.ts': characterSource('Bob', 'metadata: { good: false }')
  },
  team: {
    'bob.ts': characterSource('Bob').replace('You are Bob.', 'You are Bob of the team.'),
    'tim.ts': characterSource('Tim'),
    winter: castOf('Wim'),
    broken: {
      'bad.ts': 'export default {\n  name: }\n',
      'good.ts': characterSource('Good'),
      'worse.ts': "throw new Error('no luck')\n"
    },
    ruins: { 'bad.ts': "throw new Error('no luck')\n" },
    empty: { 'notes.txt': 'Nothing here.' },
    slow: { 'slow.ts': `await new Promise(resolve => setTimeout(resolve, 100))\n\n${characterSource('Slow')}` }
  },
  red: counting('red'),
  blue: counting('blue')
})
export const path = (...names: string[]) => join(directory, ...names)

/** A server with these casts, and how many are alive in it. */
export async function start (t: Test, script: Script = echo) {
  const engines = cannedEngines(script)
  const app = Fastify()
  let live = () => 0
  await app.register(async scope => {
    await dramatis(scope, {
      ...engines,
      limits: { drainSeconds: 0 },
      characters: { directory: path('default'), roots: { team: path('team'), red: path('red'), blue: path('blue') } }
    })
    live = () => scope.dramatisLibrary.live
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  return { ...testServer(t, app), llm: engines.llm, live }
}

import assert from 'node:assert/strict'
import type { LlmEngine, LlmRequest, SpeechFrame, SttEngine, TtsEngine, VadEngine } from '../../lib/engines/engine.js'

/** An engine that is started, and how to tell that it left nothing behind. */
export type Subject = { /** Connections, sockets or streams that it still holds elsewhere. */ held?: () => Promise<number> | number } & (
  | { stage: 'vad', engine: VadEngine, audio: Int16Array }
  | { stage: 'stt', engine: SttEngine, audio: Int16Array }
  | { stage: 'tts', engine: TtsEngine, voice: string }
  | { stage: 'llm', engine: LlmEngine, request?: Partial<LlmRequest> }
)

/** One promise of the contract. */
export interface Clause {
  promise: string
  check (): Promise<void>
}

/** What is given to an engine: as it comes, and so that it can be seen to be let go. */
interface Input { values: AsyncIterable<unknown>, released: Promise<void>, read: () => number }

/** Aborts are tried after so many results, at most. */
const POINTS = 8
const CLAUSES = ['Hello there, ', 'this is the second clause. ', 'And this is the last one.']

/**
 * What every engine promises (lib/engines/engine.ts), as checks that any test runner can run in their order. They
 * never close the engine but in the last one.
 */
export function contract (subject: Subject): Clause[] {
  const { engine, stage } = subject
  const clauses: Clause[] = [
    {
      promise: 'has a name, and can be asked whether it would work',
      check: async () => {
        assert.match(engine.name, /\S/)
        await engine.check?.(new AbortController().signal)
      }
    },
    { promise: 'gives results of its kind', check: async () => { checkResults(subject, await collect(open(subject, whole(subject)))) } },
    {
      promise: 'serves several streams at once',
      check: async () => {
        const all = await Promise.all([1, 2, 3].map(() => collect(open(subject, whole(subject)))))
        for (const results of all) checkResults(subject, results)
      }
    },
    { promise: 'ends with the signal\'s reason when it is aborted after any result', check: abortAnywhere },
    {
      promise: 'asks nobody for anything when it was aborted before',
      check: async () => {
        const reason = new Error('too late')
        const input = whole(subject)
        await assert.rejects(collect(open(subject, input, AbortSignal.abort(reason))), error => error === reason)
      }
    },
    {
      promise: 'ends well for a reader that stops, and works again',
      check: async () => {
        for await (const result of open(subject, whole(subject))) if (result) break
        checkResults(subject, await collect(open(subject, whole(subject))))
      }
    },
    {
      promise: 'leaves no listener on a signal that goes on',
      check: async () => {
        const { signal } = new AbortController()
        const count = countListeners(signal)
        for (let i = 0; i < 3; i++) await collect(open(subject, whole(subject), signal))
        for await (const result of open(subject, whole(subject), signal)) if (result) break
        assert.equal(await settled(count), 0)
      }
    }
  ]
  if (stage !== 'llm') {
    clauses.push(
      {
        promise: 'ends when its input ends, though there was none',
        check: async () => {
          const results = await collect(open(subject, given([])))
          assert.equal(textOf(subject, results), '')
        }
      },
      {
        promise: 'lets its input go when it is aborted while it waits for it',
        check: async () => {
          const input = held(subject)
          const abort = new AbortController()
          const reason = new Error('enough')
          const reading = collect(open(subject, input, abort.signal))
          const outcome = assert.rejects(reading, error => error === reason)
          await settled(() => input.read() > 0 ? 0 : 1)
          abort.abort(reason)
          await outcome
          await input.released
        }
      },
      {
        promise: 'passes on an error of its input',
        check: async () => {
          await assert.rejects(collect(open(subject, given(parts(subject).slice(0, 1), new Error('broken input')))), { message: 'broken input' })
        }
      }
    )
  }
  return [
    ...clauses,
    { promise: 'holds nothing when all streams have ended', check: async () => { assert.equal(await settled(subject.held ?? (() => 0)), 0) } },
    {
      promise: 'closes, and once more',
      check: async () => {
        await engine.close?.()
        await engine.close?.()
        assert.equal(await settled(subject.held ?? (() => 0)), 0)
      }
    }
  ]

  async function abortAnywhere (): Promise<void> {
    for (let point = 0; point < POINTS; point++) {
      const abort = new AbortController()
      const reason = new Error(`aborted after ${point}`)
      const results = open(subject, whole(subject), abort.signal)[Symbol.asyncIterator]()
      for (let i = 0; i < point; i++) if ((await results.next()).done) return
      const next = results.next()
      abort.abort(reason)
      // A result that was on its way may still arrive, and so may the end; nothing does after.
      const outcomes = [await outcome(next), await outcome(results.next())]
      assert.ok(outcomes.some(it => it === reason || it === 'end'), 'it goes on')
      assert.ok(outcomes.every(it => it === reason || it === 'end' || it === 'result'), String(outcomes.find(it => it instanceof Error)))
    }
  }
}

function open (subject: Subject, input: Input, signal: AbortSignal = new AbortController().signal): AsyncIterable<unknown> {
  switch (subject.stage) {
    case 'vad': return subject.engine.detect(input.values as AsyncIterable<Int16Array>, { signal })
    case 'stt': return subject.engine.transcribe(input.values as AsyncIterable<Int16Array>, { signal, language: 'en' })
    case 'tts': return subject.engine.synthesize(input.values as AsyncIterable<string>, { signal, voice: subject.voice })
    case 'llm': return subject.engine.generate({ messages: [{ role: 'user', content: 'Hello, who are you?' }], tools: [], toolChoice: 'auto', ...subject.request }, { signal })
  }
}

function checkResults (subject: Subject, results: unknown[]): void {
  assert.ok(results.length > 0, 'there are results')
  switch (subject.stage) {
    case 'vad': {
      let last = 0
      for (const { position, probability } of results as SpeechFrame[]) {
        assert.ok(position > last && probability >= 0 && probability <= 1)
        last = position
      }
      assert.ok(last > subject.audio.length - 2400 && last <= subject.audio.length + 2400, 'the frames cover the audio')
      break
    }
    case 'stt': assert.match(textOf(subject, results), /\S/, 'something was heard'); break
    case 'tts': {
      assert.equal(textOf(subject, results), CLAUSES.join(''), 'the text is what was given')
      const samples = results.reduce<number>((sum, { audio }: any) => sum + audio.length, 0)
      assert.ok(samples > 2400, 'there is sound')
      break
    }
    case 'llm': {
      const ends = results.filter((event: any) => event.type === 'end')
      assert.equal(ends.length, 1)
      assert.equal(results.at(-1), ends[0], 'the end comes last')
    }
  }
}

function textOf ({ stage }: Subject, results: unknown[]): string {
  return results.map((result: any) => stage === 'stt' ? result.delta : stage === 'tts' ? result.text : '').join('')
}

function parts (subject: Subject): unknown[] {
  if (subject.stage === 'tts') return CLAUSES
  if (subject.stage === 'llm') return []
  const chunks: Int16Array[] = []
  for (let at = 0; at < subject.audio.length; at += 2400) chunks.push(subject.audio.subarray(at, at + 2400))
  return chunks
}

const whole = (subject: Subject): Input => given(parts(subject))
const held = (subject: Subject): Input => given(parts(subject).slice(0, 1), 'never')

/** Values, and then their end, an error, or nothing ever. */
function given (values: unknown[], end?: Error | 'never'): Input {
  let release = () => {}
  let read = 0
  const released = new Promise<void>(resolve => { release = resolve })
  return {
    released,
    read: () => read,
    values: {
      [Symbol.asyncIterator]: () => ({
        next () {
          if (read < values.length) return Promise.resolve({ value: values[read++], done: false })
          if (end === 'never') return new Promise(() => {})
          return end === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(end)
        },
        return () {
          release()
          return Promise.resolve({ value: undefined, done: true })
        }
      })
    }
  }
}

async function collect (results: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const result of results) all.push(result)
  return all
}

async function outcome (next: Promise<IteratorResult<unknown>>): Promise<unknown> {
  return next.then(({ done }) => done === true ? 'end' : 'result', error => error)
}

/** The count as soon as it is 0; what takes another machine a moment has five seconds. */
async function settled (count: () => Promise<number> | number): Promise<number> {
  const patience = AbortSignal.timeout(5000)
  for (;;) {
    const now = await count()
    if (now === 0 || patience.aborted) return now
    await new Promise(resolve => setImmediate(resolve))
  }
}

function countListeners (signal: AbortSignal): () => number {
  const { addEventListener, removeEventListener } = signal
  const listeners = new Set<unknown>()
  signal.addEventListener = (...args: any[]) => { listeners.add(args[1]); Reflect.apply(addEventListener, signal, args) }
  signal.removeEventListener = (...args: any[]) => { listeners.delete(args[1]); Reflect.apply(removeEventListener, signal, args) }
  return () => listeners.size
}

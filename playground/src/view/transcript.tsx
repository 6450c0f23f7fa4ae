import { useEffect, useRef } from 'preact/hooks'
import { say } from '../session/session.js'
import { transcript, type SpokenLine, type ToolLine, type TranscriptLine } from '../session/transcript.js'

/** What was said, by both sides, and the way to write. */
export function Transcript () {
  const list = useRef<HTMLDivElement>(null)
  const lines = transcript.value
  useEffect(() => {
    // Who has scrolled up reads; nobody is pulled away from that.
    const { current } = list
    if (current !== null && current.scrollHeight - current.scrollTop - current.clientHeight < 160) current.scrollTop = current.scrollHeight
  }, [lines])

  return (
    <section class='transcript panel' aria-labelledby='transcript-title'>
      <h2 id='transcript-title'>Conversation</h2>
      <div class='lines' ref={list} role='log' aria-live='polite' aria-labelledby='transcript-title' tabIndex={0}>
        {lines.length === 0 && <p class='empty'>Start talking, or write below. What is said appears here, on both sides.</p>}
        {lines.map(line => <Line key={line.id} line={line} />)}
      </div>
      <Composer />
    </section>
  )
}

function Line ({ line }: { line: TranscriptLine }) {
  if (line.kind === 'note') return <p class={`note ${line.bad ? 'bad' : ''}`}>{line.text}</p>
  return line.kind === 'tool' ? <Tool line={line} /> : <Speech line={line} />
}

function Speech ({ line: { who, name, text, cut, state } }: { line: SpokenLine }) {
  return (
    <article class={`speech ${who}`} data-state={state}>
      <h3>{name}</h3>
      <p>
        {text}
        {cut !== '' && <del title='Not heard any more'><span class='hidden'>not heard: </span>{cut}</del>}
        {text === '' && cut === '' && state === 'open' && <span class='dots' role='img' aria-label='…'><i /><i /><i /></span>}
      </p>
      {state === 'interrupted' && <small>interrupted</small>}
    </article>
  )
}

function Tool ({ line: { name, arguments: args, output, failed, state } }: { line: ToolLine }) {
  return (
    <details class={`tool ${failed ? 'bad' : ''}`}>
      <summary>{state === 'open' ? 'Running' : failed ? 'Failed:' : 'Used'} <code>{name}</code></summary>
      <dl>
        <dt>asked with</dt><dd><code>{args}</code></dd>
        {output !== null && <><dt>result</dt><dd>{output}</dd></>}
      </dl>
    </details>
  )
}

function Composer () {
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const text = String(new FormData(form).get('text')).trim()
    if (text === '') return
    form.reset()
    say(text).catch(() => {})
  }
  return (
    <form class='composer' onSubmit={submit}>
      <label class='hidden' for='text'>Write instead of talking</label>
      <input id='text' name='text' placeholder='Write instead' autocomplete='off' enterkeyhint='send' />
      <button type='submit' class='primary'>Send</button>
    </form>
  )
}

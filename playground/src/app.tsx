import { useEffect } from 'preact/hooks'
import { cancel, press, release } from './session/session.js'
import { settings } from './session/settings.js'
import { connection, engines, keyWanted, microphoneProblem, pressed, problem } from './session/state.js'
import { EventLog } from './view/event-log.js'
import { Gallery } from './view/gallery.js'
import { Latency } from './view/latency.js'
import { openKey, Settings } from './view/settings.js'
import { Stage } from './view/stage.js'
import { Transcript } from './view/transcript.js'

export function App () {
  useKeys()
  return (
    <>
      <a class='skip' href='#talk'>To the conversation</a>
      <header>
        <div class='brand'><img src='./playground-icon.svg' alt='' width='28' height='28' /><span>Dramatis</span></div>
        <span class={`connection ${connection.value}`} aria-hidden='true' />
        {engines.value !== null && <span class='engines' title='hears · thinks · speaks'>{engines.value.stt} · {engines.value.llm} · {engines.value.tts}</span>}
        <Settings />
      </header>
      <div class='problems' role='alert'>
        {problem.value !== null && <p>{problem.value}{keyWanted.value && <button type='button' onClick={openKey}>Enter a key</button>}</p>}
        {microphoneProblem.value !== null && <p>{microphoneProblem.value}</p>}
      </div>
      {engines.value?.llm === 'demo' && <p class='hint'>A demo brain answers from the characters’ own lines, until LLM_BASE_URL names a language model.</p>}
      <main id='talk'>
        <Gallery />
        <div class='middle'>
          <Stage />
          <Transcript />
        </div>
        <div class='side'>
          <Latency />
          <EventLog />
        </div>
      </main>
    </>
  )
}

/** Space talks, Escape stops the answer, wherever nothing is being written. */
function useKeys (): void {
  useEffect(() => {
    const isWriting = (event: KeyboardEvent) => (event.target as HTMLElement).closest('input, select, textarea, button, summary, pre, [role=log], .rows') !== null
    const down = (event: KeyboardEvent) => {
      if (event.key === 'Escape') cancel().catch(() => {})
      if (event.key !== ' ' || event.repeat || settings.value.mode !== 'push-to-talk') return
      if (isWriting(event) && !(event.target as HTMLElement).closest('.talk')) return
      event.preventDefault()
      press().catch(() => {})
    }
    const up = (event: KeyboardEvent) => {
      if (event.key !== ' ') return
      // Or the button under it is clicked, too.
      if (pressed.value) event.preventDefault()
      release()
    }
    addEventListener('keydown', down)
    addEventListener('keyup', up)
    addEventListener('blur', release)
    return () => {
      removeEventListener('keydown', down)
      removeEventListener('keyup', up)
      removeEventListener('blur', release)
    }
  }, [])
}

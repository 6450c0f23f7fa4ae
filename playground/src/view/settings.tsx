import { useEffect, useRef, useState } from 'preact/hooks'
import { start } from '../session/session.js'
import { apiKey, change, settings, type Mode, type Settings as Values, type Theme } from '../session/settings.js'
import { connection, microphoneOn } from '../session/state.js'

/** What people change seldom. */
export function Settings () {
  const { mode, theme, deviceId, processing, detection } = settings.value
  const devices = useMicrophones(microphoneOn.value)
  const sheet = useRef<HTMLDetailsElement>(null)
  useClosing(sheet)
  return (
    <details class='settings' ref={sheet}>
      <summary>Settings</summary>
      <div class='sheet panel'>
        <fieldset>
          <legend>How you talk</legend>
          {(['hands-free', 'push-to-talk'] as Mode[]).map(value => (
            <label key={value} class='check'><input type='radio' name='mode' checked={mode === value} onChange={() => change({ mode: value })} /> {value === 'hands-free' ? 'Hands-free' : 'Push to talk'}</label>
          ))}
        </fieldset>
        <label>Your turn ends
          <select value={detection} disabled={mode === 'push-to-talk'} onChange={event => change({ detection: event.currentTarget.value as Values['detection'] })}>
            <option value='server_vad'>after half a second of silence</option>
            <option value='semantic_vad'>when the words sound finished</option>
          </select>
        </label>
        <label>Microphone
          <select value={deviceId} onChange={event => change({ deviceId: event.currentTarget.value })}>
            <option value=''>The browser’s choice</option>
            {devices.map(({ deviceId, label }) => <option key={deviceId} value={deviceId}>{label}</option>)}
          </select>
        </label>
        <label class='check'><input type='checkbox' checked={processing} onChange={event => change({ processing: event.currentTarget.checked })} /> Cancel echo and noise (off is better with headphones)</label>
        <label>Look
          <select value={theme} onChange={event => change({ theme: event.currentTarget.value as Theme })}>
            <option value='auto'>as the system</option>
            <option value='light'>light</option>
            <option value='dark'>dark</option>
          </select>
        </label>
        <label>API key
          <input id='key' type='password' value={apiKey.value} autocomplete='off' placeholder='none' onInput={event => { apiKey.value = event.currentTarget.value.trim() }} onKeyDown={({ key }) => { if (key === 'Enter') startWithKey(sheet.current!) }} />
        </label>
        <small>Microphone and key count from the next start on; Enter starts. The key stays in this tab.</small>
      </div>
    </details>
  )
}

/** Shows where the key is entered. */
export function openKey (): void {
  const key = document.querySelector<HTMLInputElement>('#key')!
  key.closest('details')!.open = true
  key.select()
}

function startWithKey (sheet: HTMLDetailsElement): void {
  if (connection.value !== 'off') return
  sheet.open = false
  start().catch(() => {})
}

/** Browsers name the devices only once a microphone has been allowed. */
function useMicrophones (allowed: boolean): { deviceId: string, label: string }[] {
  const [devices, setDevices] = useState<{ deviceId: string, label: string }[]>([])
  useEffect(() => {
    if (!allowed) return
    navigator.mediaDevices?.enumerateDevices().then(all => setDevices(all
      .filter(({ kind, deviceId, label }) => kind === 'audioinput' && deviceId !== '' && label !== '')
      .map(({ deviceId, label }) => ({ deviceId, label }))), () => {})
  }, [allowed])
  return devices
}

/** Escape, or a click elsewhere, closes the sheet. */
function useClosing (sheet: { readonly current: HTMLDetailsElement | null }): void {
  useEffect(() => {
    const onPointer = ({ target }: Event) => { if (!sheet.current!.contains(target as Node)) sheet.current!.open = false }
    const onKey = ({ key }: KeyboardEvent) => {
      if (key !== 'Escape' || !sheet.current!.open) return
      sheet.current!.open = false
      sheet.current!.querySelector('summary')!.focus()
    }
    addEventListener('pointerdown', onPointer)
    addEventListener('keydown', onKey)
    return () => {
      removeEventListener('pointerdown', onPointer)
      removeEventListener('keydown', onKey)
    }
  }, [])
}

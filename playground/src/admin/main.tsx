import { render } from 'preact'
import { Admin } from './admin.js'
import '../style.css'

render(<Admin />, document.getElementById('app')!)

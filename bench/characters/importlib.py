"""The way of the Python servers: importlib, one module name per session and file. Prints CPU ms and bytes a session."""
import gc
import importlib.util
import json
import pathlib
import sys
import tempfile
import time
import tracemalloc

SESSIONS = int(sys.argv[1])
directory = pathlib.Path(tempfile.mkdtemp(prefix='dramatis-bench-'))
prose = ' '.join(['the lamp was lit before noon and nobody asked why'] * 30)
for n in range(20):
    (directory / f'character_{n:03}.py').write_text(f'''
import random
from dataclasses import dataclass, field

NAME = 'Character {n}'
LINES = [{prose!r}, {prose!r}]

@dataclass
class Instructions:
    prompt: str = {prose!r}
    language: str = 'en'
    lines: list = field(default_factory=lambda: list(LINES))

INSTRUCTIONS = Instructions()
VOICE = {{'source': 'file', 'path': 'voices/{n}.wav', 'description': 'grim'}}

class PromptGenerator:
    def __init__(self, instructions):
        self.instructions = instructions

    def make_system_prompt(self):
        return f'You are {{NAME}}. {{self.instructions.prompt}} {{random.choice(self.instructions.lines)}}'
''')
files = sorted(directory.glob('*.py'))


def load(session):
    for file in files:
        name = f'session_{session}.characters.{file.stem}'
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)


for n in range(5):
    load(-n - 1)
start = time.process_time()
for n in range(SESSIONS):
    load(n)
cpu = (time.process_time() - start) * 1000 / SESSIONS
gc.collect()
tracemalloc.start()
for n in range(50):
    load(SESSIONS + n)
gc.collect()
print(json.dumps({'cpuMs': cpu, 'bytes': tracemalloc.get_traced_memory()[0] / 50}))

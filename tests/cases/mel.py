"""Writes mel.safetensors: librosa's power and mel spectrograms of one second of a chirp in noise at 8 kHz, cut to its
first 1500 samples.

Tensors: `sound`; per case `power` (bins, frames), of the cases with `power`, and `mel` (bands, frames), in decibels. The
metadata entry `cases` lists them with their settings.

    python mel.py          # needs librosa 0.11, safetensors
"""
import json, pathlib
import librosa, numpy as np
from safetensors.numpy import save_file

rng = np.random.default_rng(5)
t = np.arange(1500) / 8000
sound = (0.5 * np.sin(2 * np.pi * (200 * t + 9000 * t * t)) + 0.01 * rng.standard_normal(t.size)).astype(np.float32)
rate = 8000
cases = [
    dict(n_fft=256, hop=80, win=256, centre=True, mirror=False, bands=40, low=0.0, high=4000.0, htk=False, area=True),
    dict(n_fft=256, hop=64, win=200, centre=True, mirror=True, bands=23, low=100.0, high=3800.0, htk=True, area=False),
    dict(n_fft=512, hop=160, win=401, centre=False, mirror=False, bands=64, low=20.0, high=4000.0, htk=True, area=True),
    dict(n_fft=200, hop=100, win=200, centre=True, mirror=True, bands=12, low=0.0, high=2000.0, htk=False, area=False),
]
tensors = {"sound": sound}
for i, c in enumerate(cases):
    power = np.abs(librosa.stft(sound, n_fft=c["n_fft"], hop_length=c["hop"], win_length=c["win"], center=c["centre"],
                                pad_mode="reflect" if c["mirror"] else "constant")) ** 2
    mel = librosa.feature.melspectrogram(S=power, sr=rate, n_fft=c["n_fft"], n_mels=c["bands"], fmin=c["low"], fmax=c["high"],
                                         htk=c["htk"], norm="slaney" if c["area"] else None)
    if i < 2:
        tensors[f"{i}.power"] = np.ascontiguousarray(power.astype(np.float32))
    tensors[f"{i}.mel"] = np.ascontiguousarray(librosa.power_to_db(mel, top_db=None).astype(np.float32))
    tensors[f"{i}.triangles"] = librosa.filters.mel(sr=rate, n_fft=c["n_fft"], n_mels=c["bands"], fmin=c["low"], fmax=c["high"],
                                                    htk=c["htk"], norm="slaney" if c["area"] else None, dtype=np.float32)
save_file(tensors, pathlib.Path(__file__).with_name("mel.safetensors"), {"cases": json.dumps(cases)})
print({k: v.shape for k, v in tensors.items()})

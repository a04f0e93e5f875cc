"""Writes text.json: what PyTorch answers for embedded, convolved and pooled sentences, on small integers, and the tokens
that the regular expressions of Kim's clean_str (https://github.com/yoonkim/CNN_sentence, process_data.py) give.

    python text.py          # needs numpy, torch
"""
import json, pathlib, re
import numpy as np, torch, torch.nn.functional as F

rng = np.random.default_rng(1)


def flat(a):
    return {"shape": list(a.shape), "values": [int(v) for v in np.asarray(a).ravel()]}


def convolve(x, w, mode):
    """conv1d of (batch, embedding, tokens) with the zeros that the mode puts around."""
    k = w.shape[2]
    before, behind = {"valid": (0, 0), "full": (k - 1, k - 1), "same": ((k - 1) // 2, k // 2), "causal": (k - 1, 0)}[mode]
    y = F.conv1d(F.pad(x, (before, behind)), w)
    if mode == "same":
        assert torch.equal(y, F.conv1d(x, w, padding="same"))
    return y


convolutions = []
for mode in "valid", "same", "full", "causal":
    for width in 1, 2, 3, 5:
        for side in "right", "left":
            entries, dimension, features = 9, 3, 2
            table = torch.tensor(rng.integers(-9, 10, (entries, dimension)), dtype=torch.float64)
            table[0] = 0
            embedding = torch.nn.Embedding.from_pretrained(table, padding_idx=0)
            w = torch.tensor(rng.integers(-9, 10, (features, dimension, width)), dtype=torch.float64)
            sentences = [rng.integers(1, entries, n).tolist() for n in (7, 4, 1, 0)]
            tokens = 8
            pad = lambda s, n: s + [0] * (n - len(s)) if side == "right" else [0] * (n - len(s)) + s
            x = embedding(torch.tensor([pad(s, tokens) for s in sentences])).transpose(1, 2)
            # Each sentence alone, not in a batch: the padding of the batch can have no part in it.
            alone = [pad(s, max(len(s), width if mode == "valid" else 1)) for s in sentences]
            pooled = [convolve(embedding(torch.tensor([s])).transpose(1, 2), w, mode).amax(2)[0] for s in alone]
            convolutions.append({"mode": mode, "side": side, "tokens": tokens, "sentences": sentences, "table": flat(table),
                                 "w": flat(w), "x": flat(x), "y": flat(convolve(x, w, mode)), "pooled": flat(torch.stack(pooled))})


def clean_str(string, keep_case=False):
    string = re.sub(r"[^A-Za-z0-9(),!?\'\`]", " ", string)
    for ending in "'s", "'ve", "n't", "'re", "'d", "'ll":
        string = re.sub(ending, " " + ending, string)
    for mark in ",!()?":
        string = re.sub(re.escape(mark), f" {mark} ", string)
    string = re.sub(r"\s{2,}", " ", string)
    return string.strip() if keep_case else string.strip().lower()


texts = ["", " ", "The film isn't great.", "DON'T! Don't. don't", "it's we've they're I'd he'll 'some 'very 'd'll's", "n'tn't''s''",
         "(a,b)!?(c)", "``quoted'' `x`", "caf\u00e9 na\u00efve \u7535\u5f71 I\u0307stanbul \u0130", "rock 'n' roll's 'll-timers",
         "3.50$ 1,000 50%", "\ttabs\nand\r\nlines\u00a0nbsp\u2028sep\x00nul", "can'tve n'tre 're'd", "a'b'c'sd'rex'llama", "!!!,,,???"]
pieces = ["'", "'s", "n't", "n", "t", "ve", "'re", "d", "ll", ",", "(", " ", "\u00e9", "A", "s", "`", "9", "?"]
texts += ["".join(rng.choice(pieces, 25)) for _ in range(60)]
kim = [{"text": t, "tokens": clean_str(t).split(), "cased": clean_str(t, True).split()} for t in texts]

out = {"convolutions": convolutions, "kim": kim}
body = ",\n".join(f'"{key}": [\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]" for key, cases in out.items())
pathlib.Path(__file__).with_name("text.json").write_text("{" + body + "}\n")
print(len(convolutions), "convolutions,", len(kim), "texts")

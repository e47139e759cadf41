# CRD between the pooled features, with the paper's settings.
distill_losses = [
    dict(
        type='ContrastiveLoss',
        pairs=[('head.fc:input', 'head.fc:input')],
        num_samples=50000,
        num_negatives=16384,
        temperature=0.07,
        weight=0.8,
    )
]

# The frames by their numbers: what is fitted is the model's, so that there is
# no dataset. PSNR and SSIM measure the fit.
train_dataloader = dict(batch_size=1)
val_dataloader = dict(batch_size=4)
test_dataloader = val_dataloader
val_evaluator = [dict(type='PSNR'), dict(type='SSIM')]
test_evaluator = val_evaluator

"""What tools/analysis_tools/diagnose_distillation.py computes and says."""

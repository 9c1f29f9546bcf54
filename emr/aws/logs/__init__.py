"""What a step wrote, from S3 or CloudWatch, and why it failed."""
